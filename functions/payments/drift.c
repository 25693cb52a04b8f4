/*
 * GET /api/admin/payments/drift
 *
 * Where Stripe's books and ours differ, the latest first: money that fits no
 * order of ours, or not the one it names, and events that could not be
 * applied.  What agrees again is not here any more.
 */
#include "fn.h"

#include "paging.h"

struct input {
	PAGING_MEMBERS;
	const char *kind, *order;
};

QUERY(page_of_drift, PAGED_QUERY("drift",
	" SELECT d.id FROM payments.drift d"
	"  WHERE ($5::text IS NULL OR d.kind = $5)"
	"    AND ($6::bigint IS NULL OR d.order_id = $6)"
	"    AND users.administers($7)",
	"(SELECT payments.drift_json(d) FROM payments.drift d WHERE d.id = g.id)"));

#define KINDS CHOICES("unknown", "mismatch", "captured", "refunded", "event")

static const struct shape drift_shape = {
	.name = "PaymentDrift",
	.doc = "A difference between Stripe's books and ours",
	.fields = FIELDS(
		OUT(id,        ID,     "The difference", .example = "1"),
		OUT(kind,      CHOICE, "What differs", .choices = KINDS, .example = "\"captured\""),
		OUT(stripe_id, STR,    "The payment intent, or the event",
		    .example = "\"pi_3Sx1bKSoukExample\""),
		OUT(order_id,  ID,     "The order it is about, where that is known",
		    .nullable = true, .example = "1"),
		OUT(ours,      MONEY,  "What we have", .nullable = true, .example = "\"0.00\""),
		OUT(theirs,    MONEY,  "What Stripe has", .nullable = true, .example = "\"53.98\""),
		OUT(currency,  STR,    "ISO 4217", .nullable = true, .example = "\"USD\""),
		OUT(detail,    STR,    "In words",
		    .example = "\"Stripe has captured another amount\""),
		OUT(found_at,  TIME,   "When it was found"),
		OUT(seen_at,   TIME,   "When it was last found to be so")),
};

ENDPOINT(list_drift) = {
	.method  = HTTP_GET,
	.path    = "/api/admin/payments/drift",
	.summary = "Where Stripe's books and ours differ",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PAGING_FIELDS,
		PARAM(kind,  CHOICE, "Only of this kind", .choices = KINDS),
		PARAM(order, ID,     "Only of this order")),
	.output  = FIELDS(
		OUT_OBJECT(drift, drift_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static struct status
list_drift(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &page_of_drift, PAGING_ARGUMENTS(rq, in),
	    in->kind, in->order, req_user(rq)));
}
