/*
 * GET /api/orders
 *
 * The caller's orders, newest first.  A seller may ask for the orders that
 * have lines of theirs, an admin for anybody's.
 */
#include "fn.h"

#include "order_shape.h"
#include "product_shape.h"

#include <string.h>

struct input {
	int64_t page, limit;
	const char *cursor, *status, *user, *seller;
};

QUERY(page_of_orders,
	"WITH matching AS NOT MATERIALIZED ("
	" SELECT o.id FROM orders.orders o"
	"  WHERE ($1::bigint IS NULL OR o.user_id = $1)"
	"    AND ($2::bigint IS NULL OR EXISTS (SELECT FROM orders.item i"
	"         WHERE i.order_id = o.id AND i.seller_id = $2))"
	"    AND ($3::text IS NULL OR o.status = $3)),"
	" page AS ("
	" SELECT id, row_number() OVER (ORDER BY id DESC) AS place FROM matching"
	"  WHERE ($4::bigint IS NULL OR id < $4)"
	"  ORDER BY id DESC LIMIT $5::bigint + 1 OFFSET $6),"
	" counted AS ("
	" SELECT count(*) AS total FROM (SELECT FROM matching LIMIT 10001) few)"
	" SELECT json_build_object("
	"  'orders', coalesce((SELECT json_agg(orders.order_json(g.id, $7) ORDER BY g.place)"
	"     FROM page g WHERE g.place <= $6::bigint + $5::bigint), '[]'),"
	"  'pagination', json_build_object("
	"     'page', $8::bigint, 'limit', $5::bigint, 'total', c.total,"
	"     'totalPages', (c.total + $5::bigint - 1) / $5::bigint,"
	"     'total_is_estimate', c.total > 10000,"
	"     'next_cursor', (SELECT g.id::text FROM page g"
	"        WHERE g.place = $6::bigint + $5::bigint AND EXISTS ("
	"         SELECT FROM page h WHERE h.place > g.place))))"
	" FROM counted c");

ENDPOINT(list_orders) = {
	.method  = HTTP_GET,
	.path    = "/api/orders",
	.summary = "Orders, newest first",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PARAM(page,   INT,    "Which page", .min = 1, .max = 1000000, .preset = 1),
		PARAM(limit,  INT,    "Entries a page", .min = 1, .max = 100, .preset = 20),
		PARAM(cursor, ID,     "The next_cursor of the page before"),
		PARAM(status, CHOICE, "Only those this far", .choices = ORDER_STATUSES),
		PARAM(user,   ID,     "Whose; anybody else's for admins only"),
		PARAM(seller, CHOICE, "Those with lines of the caller's, who sells",
		    .choices = CHOICES("me"))),
	.output  = FIELDS(
		OUT_OBJECT(orders, order_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
	.errors  = ERRORS(ERR_FORBIDDEN),
};

static struct status
list_orders(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *me = req_user(rq), *user = in->user, *seller = NULL;
	int64_t skipped = in->cursor == NULL ? (in->page - 1) * in->limit : 0;

	if (user != NULL && strcmp(user, me) != 0 && !req_is(rq, ACCESS_ADMIN))
		return fail_text(rq, ERR_FORBIDDEN, "Only admins see others' orders");
	if (in->seller != NULL && !req_is(rq, ACCESS_SELLER))
		return fail_text(rq, ERR_FORBIDDEN, "Only sellers have orders to sell");
	if (in->seller != NULL)
		seller = me;
	else if (user == NULL)
		user = me;
	return reply_row(rq, 200, db_one(rq, &page_of_orders, user, seller, in->status,
	    in->cursor, text(rq, in->limit), text(rq, skipped), me, text(rq, in->page)));
}
