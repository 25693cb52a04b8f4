/*
 * POST /api/payments/refund
 *
 * Gives back what was paid for an order, or a part of it.  The refund is
 * recorded first, within what is left to give back; then Stripe is asked, here
 * or, where it is away, by the refund's saga until it answers.
 */
#include "fn.h"

#include "lease.h"
#include "order_shape.h"
#include "saga.h"

#include <string.h>

struct input {
	const char *order, *amount, *reason;
};

QUERY(request,
	"SELECT * FROM payments.refund_request_v1(ROW($1, $2, $3)::ops.caller,"
	" $4, $5, $6, $7, $8, $9, $10)");

QUERY(resume,
	"SELECT * FROM orders.saga_claim_refund($1, $2, $3)");

QUERY(made,
	"SELECT payments.refund_json(r) FROM payments.refund r WHERE r.id = $1");

ENDPOINT(refund_payment) = {
	.method  = HTTP_POST,
	.path    = "/api/payments/refund",
	.summary = "Give back what was paid for an order, or a part of it",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_PAYMENT,
	.commit  = COMMIT_EACH,
	.waits   = true,
	.purges  = "products",
	.idempotent = true,
	.input   = FIELDS(
		BODY_AS(order, "orderId", ID, "The order", .required = true, .example = "1"),
		BODY(amount, MONEY, "How much; all that is left, when absent",
		    .example = "\"10.00\""),
		BODY(reason, CHOICE, "Why, in Stripe's words", .choices = REFUND_REASONS,
		    .example = "\"requested_by_customer\"")),
	.answer  = &refund_shape,
	.errors  = ERRORS(ERR_NOT_FOUND, ERR_ORDER_NOT_PAID, ERR_ALREADY_REFUNDED,
	    ERR_REFUND_TOO_LARGE),
	.details = DETAILS({ ERR_REFUND_TOO_LARGE, FIELDS(
		OUT(refundable, MONEY, "What is left", .example = "\"12.50\"")) }),
};

static struct status
refund_payment(struct req *rq)
{
	const struct input *in = req_input(rq);
	/* "refund 5": a try of the same request was here before and died. */
	const char *before = req_reference(rq);
	const char *refund = before == NULL ? NULL : before + strlen("refund ");
	struct saga *saga;

	if (in->amount != NULL && strcmp(in->amount, "0") == 0)
		return fail_field(rq, "amount", "min", "Must be more than nothing");
	fault_point("refund_before_commit");
	saga = saga_of(rq, refund != NULL
	    ? db_one(rq, &resume, refund, lease_owner(rq), text(rq, SAGA_LEASE_S))
	    : db_one(rq, &request, req_user(rq), req_address(rq), req_id(rq), in->order,
		in->amount, in->reason, lease_owner(rq), text(rq, SAGA_LEASE_S),
		req_idempotency_key(rq), req_fingerprint(rq)));
	fault_point("refund_after_commit");
	if (saga != NULL) {
		refund = saga->subject;
		saga_drive(rq, saga);
	}
	return reply_row(rq, 200, db_one(rq, &made, refund));
}
