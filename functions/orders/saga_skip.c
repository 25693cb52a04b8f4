/*
 * POST /api/admin/sagas/{id}/skip
 *
 * Ends a step whose effect was brought about by hand: the money was given back
 * in Stripe's dashboard.  Stripe is asked whether that is so, and what it says
 * is what is recorded; orders.operator_skips() in schema/ says which steps.
 */
#include "fn.h"

#include "saga_shape.h"
#include "stripe.h"

#include <string.h>

#define LETTERS	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

struct input {
	const char *id, *refund, *reason;
};

QUERY(find,
	"SELECT intent, is_refund FROM orders.operator_may_skip($1)");

QUERY(skip,
	"SELECT orders.operator_skips($1, $2, ROW($3, $4, $5)::ops.caller, $6, $7, $8, upper($9),"
	"       $10, $11, $12) AS outcome");

ENDPOINT(skip_step) = {
	.method  = HTTP_POST,
	.path    = "/api/admin/sagas/{id}/skip",
	.summary = "Skip a step that was done by hand at Stripe",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.commit  = COMMIT_EACH,
	.waits   = true,
	.purges  = "products",
	.idempotent = true,
	.input   = FIELDS(
		PATH(id, ID, "The saga", .example = "1"),
		BODY_AS(refund, "refundId", STR, "Stripe's id of the refund that was made",
		    .required = true, .min = 1, .max = 255, .example = "\"re_3Sx1bKSoukExample\""),
		REASON_FIELD),
	.output  = SAGA_ACT_OUTPUT,
	.errors  = ERRORS(ERR_SAGA_FINISHED, ERR_STEP_NOT_SKIPPABLE, ERR_REFUND_DOES_NOT_FIT,
	    ERR_PAYMENTS_UNAVAILABLE),
};

/* The object; NULL after refusing the request. */
static const cJSON *
look_up(struct req *rq, const char *what, const char *id)
{
	struct stripe_reply r = stripe_get(rq, fmt(rq, "/v1/%s/%s", what, id));
	const char *found = stripe_id(r.body);

	if (r.outcome == STRIPE_REFUSED)
		fail_text(rq, ERR_REFUND_DOES_NOT_FIT, "Stripe knows no refund of this id");
	else if (found == NULL || strcmp(found, id) != 0)
		fail(rq, ERR_PAYMENTS_UNAVAILABLE);
	return req_failed(rq) ? NULL : r.body;
}

static struct status
skip_step(struct req *rq)
{
	const struct input *in = req_input(rq);
	const cJSON *refund = NULL, *paid = NULL;
	const struct row *row;

	if (in->refund[strspn(in->refund, LETTERS)] != '\0')
		return fail_field(rq, "refundId", "invalid", "Must be an id of Stripe's");
	if (req_reference(rq) != NULL)
		return saga_act_reply(rq, in->id, "skipped");
	/* None where there is nothing to skip, which is for the last statement to
	 * refuse: it also knows whether this is a request from before. */
	row = db_one(rq, &find, in->id);
	if (row != NULL)
		refund = look_up(rq, "refunds", in->refund);
	if (refund != NULL && !one_of(stripe_text(refund, "status"), "succeeded"))
		fail_text(rq, ERR_REFUND_DOES_NOT_FIT, "The refund has not succeeded");
	if (row != NULL && !row_bool(row, "is_refund"))
		paid = look_up(rq, "payment_intents", row_text(row, "intent"));
	row = db_one(rq, &skip, in->id, in->reason, req_user(rq), req_address(rq),
	    req_id(rq), in->refund, stripe_text(refund, "payment_intent"),
	    stripe_amount(refund, "amount"), stripe_text(refund, "currency"),
	    stripe_amount(paid, "amount_received"), req_idempotency_key(rq),
	    req_fingerprint(rq));
	fault_point("operator_after_commit");
	return saga_act_reply(rq, in->id, row_text(row, "outcome"));
}
