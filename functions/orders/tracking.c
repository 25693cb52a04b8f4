/*
 * PUT /api/orders/{id}/tracking
 *
 * Where the goods are to be followed: the carrier and its number for them.
 */
#include "fn.h"

#include "order_shape.h"

struct input {
	const char *id, *number, *carrier;
};

QUERY(set_tracking,
	"SELECT orders.set_tracking_v1($1, $2, $3, $4, $5)");

QUERY(changed,
	"SELECT orders.order_json($1, $2)");

ENDPOINT(set_tracking_number) = {
	.method  = HTTP_PUT,
	.path    = "/api/orders/{id}/tracking",
	.summary = "Say how an order's goods can be followed",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id, ID, "The order", .example = "1"),
		BODY_AS(number, "trackingNumber", STR, "The carrier's number", .required = true,
		    .min = 1, .max = 100, .example = "\"RR123456785MA\""),
		BODY(carrier, STR, "Who carries it", .required = true, .min = 1, .max = 100,
		    .example = "\"Poste Maroc\"")),
	.answer  = &order_shape,
	.errors  = ERRORS(ERR_ORDER_NOT_PAID, ERR_ORDER_CANCELLED, ERR_ORDER_REFUNDED),
};

static struct status
set_tracking_number(struct req *rq)
{
	const struct input *in = req_input(rq);

	db_run(rq, &set_tracking, in->id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "admin" : "seller", in->number, in->carrier);
	return reply_row(rq, 200, db_one(rq, &changed, in->id, req_user(rq)));
}
