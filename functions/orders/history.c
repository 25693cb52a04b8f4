/*
 * GET /api/orders/{id}/history
 *
 * Every status the order has had: when, by whom and why.  Seen by those who
 * see the order.
 */
#include "fn.h"

#include "order_shape.h"

struct input {
	const char *id;
};

QUERY(changes,
	"SELECT coalesce(json_agg(c ORDER BY c.id), '[]') FROM ("
	"SELECT id, order_id, old_status, new_status, changed_by, notes,"
	"       ops.wire_time(created_at) AS created_at"
	"  FROM orders.history WHERE order_id = $1) c"
	" HAVING orders.is_visible($1, $2, $3)");

ENDPOINT(get_history) = {
	.method  = HTTP_GET,
	.path    = "/api/orders/{id}/history",
	.summary = "What an order has been through",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id, ID, "The order", .example = "1")),
	.answer  = &order_change_shape,
	.many    = true,
};

static struct status
get_history(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &changes, in->id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false"));
}
