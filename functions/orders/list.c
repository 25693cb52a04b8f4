/*
 * GET /api/orders
 *
 * The caller's orders, newest first.  A seller may ask for the orders that
 * have lines of theirs, an admin for anybody's.
 */
#include "fn.h"

#include "order_shape.h"
#include "paging.h"

#include <string.h>

struct input {
	PAGING_MEMBERS;
	const char *status, *user, *seller;
};

QUERY(page_of_orders, PAGED_QUERY("orders",
	" SELECT o.id FROM orders.orders o"
	"  WHERE ($5::bigint IS NULL OR o.user_id = $5)"
	"    AND ($6::bigint IS NULL OR EXISTS (SELECT FROM orders.item i"
	"         WHERE i.order_id = o.id AND i.seller_id = $6))"
	"    AND ($7::text IS NULL OR o.status = $7)",
	"orders.order_json(g.id, $8)"));

ENDPOINT(list_orders) = {
	.method  = HTTP_GET,
	.path    = "/api/orders",
	.summary = "Orders, newest first",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PAGING_FIELDS,
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

	if (user != NULL && strcmp(user, me) != 0 && !req_is(rq, ACCESS_ADMIN))
		return fail_text(rq, ERR_FORBIDDEN, "Only admins see others' orders");
	if (in->seller != NULL && !req_is(rq, ACCESS_SELLER))
		return fail_text(rq, ERR_FORBIDDEN, "Only sellers have orders to sell");
	if (in->seller != NULL)
		seller = me;
	else if (user == NULL)
		user = me;
	return reply_row(rq, 200, db_one(rq, &page_of_orders, PAGING_ARGUMENTS(rq, in),
	    user, seller, in->status, me));
}
