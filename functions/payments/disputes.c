/*
 * GET /api/admin/disputes
 *
 * Payments that cardholders have taken to their bank, the latest first: what
 * has to be answered, until when, and where the money is.
 */
#include "fn.h"

#include "paging.h"

struct input {
	PAGING_MEMBERS;
	const char *status, *order;
};

QUERY(page_of_disputes, PAGED_QUERY("disputes",
	" SELECT d.id FROM payments.dispute d"
	"  WHERE ($5::text IS NULL OR d.status = $5)"
	"    AND ($6::bigint IS NULL OR d.order_id = $6)"
	"    AND users.administers($7)",
	"(SELECT payments.dispute_json(d) FROM payments.dispute d WHERE d.id = g.id)"));

static const struct shape dispute_shape = {
	.name = "Dispute",
	.doc = "A payment that its cardholder has taken to the bank",
	.fields = FIELDS(
		OUT(id,                ID,     "The dispute", .example = "1"),
		OUT(stripe_dispute_id, STR,    "Stripe's name for it",
		    .example = "\"du_1Sx1bKSoukExample\""),
		OUT(order_id,          ID,     "Whose payment it is", .example = "1"),
		OUT(stripe_payment_intent_id, STR, "Stripe's payment intent", .nullable = true,
		    .example = "\"pi_3Sx1bKSoukExample\""),
		OUT(stripe_charge_id,  STR,    "Stripe's charge", .nullable = true,
		    .example = "\"ch_3Sx1bKSoukExample\""),
		OUT(amount,            MONEY,  "What is disputed", .example = "\"53.98\""),
		OUT(currency,          STR,    "ISO 4217", .example = "\"USD\""),
		OUT(reason,            STR,    "What the cardholder says", .nullable = true,
		    .example = "\"product_not_received\""),
		OUT(status,            STR,    "How it stands, in Stripe's words",
		    .example = "\"needs_response\""),
		OUT(funds,             CHOICE, "Where the money is",
		    .choices = CHOICES("untouched", "withdrawn", "reinstated"),
		    .example = "\"withdrawn\""),
		OUT(evidence_due_by,   TIME,   "Until when it may be answered", .nullable = true),
		OUT(created_at,        TIME,   "When we heard of it"),
		OUT(updated_at,        TIME,   "When it last changed")),
};

ENDPOINT(list_disputes) = {
	.method  = HTTP_GET,
	.path    = "/api/admin/disputes",
	.summary = "Disputed payments, latest first",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PAGING_FIELDS,
		PARAM(status, CHOICE, "Only those that stand so",
		    .choices = CHOICES("warning_needs_response", "warning_under_review",
			"warning_closed", "needs_response", "under_review", "won", "lost",
			"prevented")),
		PARAM(order,  ID, "Only those of this order")),
	.output  = FIELDS(
		OUT_OBJECT(disputes, dispute_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static struct status
list_disputes(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &page_of_disputes, PAGING_ARGUMENTS(rq, in),
	    in->status, in->order, req_user(rq)));
}
