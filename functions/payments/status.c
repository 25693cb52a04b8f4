/*
 * GET /api/payments/order/{orderId}
 *
 * What became of an order's payment.  One that is not settled is looked up at
 * Stripe first, so that a client need not wait for a webhook; when Stripe does
 * not answer, what is known here stands.
 */
#include "fn.h"

#include "order_shape.h"
#include "saga.h"

struct input {
	const char *order;
};

QUERY(unsettled,
	"SELECT stripe_payment_intent_id AS intent,"
	"       status IN ('pending', 'processing', 'failed') AS is_unsettled"
	"  FROM payments.payment WHERE order_id = $1 AND (user_id = $2 OR $3)");

QUERY(find,
	"SELECT payments.payment_json(p) FROM payments.payment p WHERE order_id = $1");

ENDPOINT(payment_status) = {
	.method  = HTTP_GET,
	.path    = "/api/payments/order/{orderId}",
	.summary = "What became of an order's payment",
	.access  = ACCESS_USER,
	.rate    = RATE_PAYMENT,
	.waits   = true,
	.input   = FIELDS(
		{ .name = "orderId", .where = F_PATH, .type = T_ID, .required = true,
		  .offset = offsetof(struct input, order), .doc = "The order", .example = "1" }),
	.answer  = &payment_shape,
};

static struct status
payment_status(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *p = db_one(rq, &unsettled, in->order, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false");

	if (p == NULL)
		return fail(rq, ERR_NOT_FOUND);
	if (row_bool(p, "is_unsettled") && row_text(p, "intent") != NULL)
		saga_sync(rq, in->order, row_text(p, "intent"));
	return reply_row(rq, 200, db_one(rq, &find, in->order));
}
