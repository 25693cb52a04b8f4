/*
 * POST /api/payments/create-intent
 *
 * The payment intent of the caller's order: the same one however often it is
 * asked for.  It is usually there since the order was placed; where Stripe was
 * away then, the order's saga is carried on here.
 */
#include "fn.h"

#include "order_shape.h"
#include "saga.h"

struct input {
	const char *order;
};

QUERY(find,
	"SELECT * FROM payments.intent_of($1, $2)");

ENDPOINT(create_intent) = {
	.method  = HTTP_POST,
	.path    = "/api/payments/create-intent",
	.summary = "How to pay an order",
	.access  = ACCESS_USER,
	.rate    = RATE_PAYMENT,
	.commit  = COMMIT_EACH,
	.waits   = true,
	.repeatable = "An order has one intent, however often it is asked for",
	.input   = FIELDS(
		BODY_AS(order, "orderId", ID, "The order to pay", .required = true,
		    .example = "1")),
	.output  = FIELDS(
		OUT(id,              STR,    "Stripe's payment intent",
		    .example = "\"pi_3Sx1bKSoukExample\""),
		OUT(paymentIntentId, STR,    "The same", .example = "\"pi_3Sx1bKSoukExample\""),
		OUT(clientSecret,    STR,    "For Stripe's client libraries", .nullable = true,
		    .example = "\"pi_3Sx1bKSoukExample_secret_Yx8\""),
		OUT(amount,          MONEY,  "What is to be paid", .example = "\"53.98\""),
		OUT(currency,        STR,    "ISO 4217", .example = "\"USD\""),
		OUT(status,          CHOICE, "What became of it so far",
		    .choices = PAYMENT_STATUSES, .example = "\"pending\"")),
	.errors  = ERRORS(ERR_NOT_FOUND, ERR_ORDER_CANCELLED, ERR_ORDER_ALREADY_PAID,
	    ERR_PAYMENTS_UNAVAILABLE),
};

static struct status
create_intent(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *p = db_one(rq, &find, in->order, req_user(rq));

	if (p != NULL && row_text(p, "intent") == NULL && row_bool(p, "is_open")) {
		saga_drive_order(rq, in->order);
		p = db_one(rq, &find, in->order, req_user(rq));
	}
	if (p == NULL)
		return fail(rq, ERR_NOT_FOUND);
	if (row_bool(p, "is_cancelled"))
		return fail(rq, ERR_ORDER_CANCELLED);
	if (!row_bool(p, "is_open"))
		return fail(rq, ERR_ORDER_ALREADY_PAID);
	if (row_text(p, "intent") == NULL)
		return fail(rq, ERR_PAYMENTS_UNAVAILABLE);
	return reply_json(rq, 200, row_text(p, "answer"));
}
