/*
 * GET /api/orders/{id}
 *
 * An order, for its owner, the sellers of its lines and admins.  For everybody
 * else it does not exist.
 */
#include "fn.h"

#include "order_shape.h"

struct input {
	const char *id;
};

QUERY(find,
	"SELECT orders.order_json($1, $2) WHERE orders.is_visible($1, $2, $3)");

ENDPOINT(get_order) = {
	.method  = HTTP_GET,
	.path    = "/api/orders/{id}",
	.summary = "One order",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id, ID, "The order", .example = "1")),
	.answer  = &order_shape,
};

static struct status
get_order(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &find, in->id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false"));
}
