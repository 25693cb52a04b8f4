/*
 * POST /api/orders/{id}/cancel
 *
 * One statement records that the order is to be cancelled; it is then undone
 * here, or by whoever finds it if this process dies or Stripe is away.  Of an
 * unpaid one the payment intent is cancelled before its stock comes back; of a
 * paid one stock comes back at once and the money goes back by a refund.
 */
#include "fn.h"

#include "lease.h"
#include "order_shape.h"
#include "saga.h"

struct input {
	const char *id, *reason;
};

QUERY(cancel,
	"SELECT * FROM orders.cancel_v1($1, $2, $3, $4, $5, $6)");

QUERY(cancelled,
	"SELECT json_build_object('message', CASE o.status"
	"        WHEN 'cancelled' THEN 'The order is cancelled'"
	"        ELSE 'The order is being cancelled' END,"
	"       'order', orders.order_json(o.id, $2)) FROM orders.orders o WHERE o.id = $1");

ENDPOINT(cancel_order) = {
	.method  = HTTP_POST,
	.path    = "/api/orders/{id}/cancel",
	.summary = "Cancel an order that has not been shipped",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.commit  = COMMIT_EACH,
	.waits   = true,
	.purges  = "products",
	.repeatable = "A cancelled order stays cancelled",
	.input   = FIELDS(
		PATH(id, ID, "The order", .example = "1"),
		BODY(reason, STR, "Why, for its history", .min = 1, .max = 500,
		    .example = "\"Ordered by mistake\"")),
	.output  = FIELDS(
		OUT(message, STR, "What became of it", .example = "\"The order is cancelled\""),
		OUT_OBJECT(order, order_shape, "The order: cancelled, or as it stands while"
		    " the payment service cannot be reached")),
	.errors  = ERRORS(ERR_ORDER_SHIPPED, ERR_ORDER_REFUNDED, ERR_ORDER_ON_HOLD),
};

static struct status
cancel_order(struct req *rq)
{
	const struct input *in = req_input(rq);
	struct saga *saga;

	fault_point("cancel_before_commit");
	saga = saga_of(rq, db_one(rq, &cancel, in->id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "admin" : "owner", in->reason, lease_owner(rq),
	    text(rq, SAGA_LEASE_S)));
	fault_point("cancel_after_commit");
	if (saga != NULL)
		saga_drive(rq, saga);
	else
		saga_wait_undone(rq, in->id);
	return reply_row(rq, 200, db_one(rq, &cancelled, in->id, req_user(rq)));
}
