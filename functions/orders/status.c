/*
 * PUT /api/orders/{id}/status
 *
 * Takes an order a step further along the way of its goods, or off it.  What
 * Stripe has a say in is not set but done: cancelling and refunding, by their
 * sagas.  That an order is paid is for Stripe alone to say.
 */
#include "fn.h"

#include "lease.h"
#include "order_shape.h"
#include "saga.h"

struct input {
	const char *id, *status, *notes;
};

QUERY(set_status,
	"SELECT orders.set_status_v1($1, $2, $3, $4, $5)");

QUERY(cancel,
	"SELECT * FROM orders.cancel_v1($1, $2, $3, $4, $5, $6)");

QUERY(refund,
	"SELECT * FROM orders.refund_v1($1, $2, $3, $4, $5, $6)");

QUERY(changed,
	"SELECT orders.order_json($1, $2)");

ENDPOINT(set_order_status) = {
	.method  = HTTP_PUT,
	.path    = "/api/orders/{id}/status",
	.summary = "Take an order a step further",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.commit  = COMMIT_EACH,
	.waits   = true,
	.purges  = "products",
	.input   = FIELDS(
		PATH(id, ID, "The order", .example = "1"),
		BODY(status, CHOICE, "What it becomes: paid -> processing -> shipped -> delivered;"
		    " `cancelled` until it is shipped; `refunded` once it is paid, when all the"
		    " money has gone back", .required = true, .choices = ORDER_STATUSES,
		    .example = "\"processing\""),
		BODY(notes, STR, "Why, for its history", .min = 1, .max = 500,
		    .example = "\"Packed\"")),
	.answer  = &order_shape,
	.errors  = ERRORS(ERR_INVALID_TRANSITION, ERR_ORDER_SHIPPED, ERR_ORDER_REFUNDED,
	    ERR_ORDER_ON_HOLD, ERR_REFUND_REFUSED),
	.details = DETAILS(TRANSITION_DETAIL),
};

/* Cancels or refunds; what became of it. */
static const char *
undo(struct req *rq, const struct query *how, const char *as)
{
	const struct input *in = req_input(rq);
	struct saga *saga;

	fault_point("status_before_commit");
	saga = saga_of(rq, db_one(rq, how, in->id, req_user(rq), as, in->notes,
	    lease_owner(rq), text(rq, SAGA_LEASE_S)));
	fault_point("status_after_commit");
	if (saga != NULL)
		return saga_drive(rq, saga);
	saga_wait_undone(rq, in->id);
	return "finished";
}

static struct status
set_order_status(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *as = req_is(rq, ACCESS_ADMIN) ? "admin" : "seller";
	const char *outcome = "set";

	if (one_of(in->status, "cancelled"))
		undo(rq, &cancel, as);
	else if (one_of(in->status, "refunded"))
		outcome = undo(rq, &refund, as);
	else
		db_run(rq, &set_status, in->id, req_user(rq), as, in->status, in->notes);
	if (one_of(outcome, "refund_failed"))
		return fail(rq, ERR_REFUND_REFUSED);
	return reply_row(rq, 200, db_one(rq, &changed, in->id, req_user(rq)));
}
