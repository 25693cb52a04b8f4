/*
 * GET /api/orders
 *
 * The caller's orders, newest first.  A seller may ask for the orders that
 * have lines of theirs, an admin for anybody's or everybody's.  Whose they are
 * decides the statement, so that each can walk its own index.
 */
#include "fn.h"

#include "order_shape.h"
#include "paging.h"

#include <string.h>

struct input {
	PAGING_MEMBERS;
	const char *status, *user, *seller, *all;
};

#define ORDER_ENTRY	"orders.order_json(g.id, $6)"
#define WITH_STATUS	"($5::text IS NULL OR o.status = $5)"

QUERY(orders_of_user, PAGED_QUERY("orders",
	" SELECT o.id FROM orders.orders o WHERE o.user_id = $7 AND " WITH_STATUS,
	ORDER_ENTRY));

/* A seller has a line for each product in an order. */
#define SOLD_ORDERS(seller)						\
	" SELECT s.id FROM (SELECT DISTINCT order_id AS id FROM orders.item"	\
	"  WHERE seller_id = " seller " ORDER BY order_id DESC) s"

QUERY(orders_of_seller, PAGED_QUERY("orders", SOLD_ORDERS("$5"), ORDER_ENTRY));

#define OF_USER	"($8::bigint IS NULL OR o.user_id = $8)"

/* Of the orders that are under way, few at any time, those of the seller. */
QUERY(open_orders_of_seller, PAGED_QUERY("orders",
	" SELECT o.id FROM orders.orders o WHERE o.status = $5 AND " OF_USER
	"    AND EXISTS (SELECT FROM orders.item i WHERE i.order_id = o.id AND i.seller_id = $7)",
	ORDER_ENTRY));

/* Of the seller's orders, one by one from the newest, those that fit: a join
 * would begin with everybody's. */
QUERY(some_orders_of_seller, PAGED_QUERY("orders", SOLD_ORDERS("$7")
	"  CROSS JOIN LATERAL (SELECT FROM orders.orders o WHERE o.id = s.id"
	"     AND " WITH_STATUS " AND " OF_USER " OFFSET 0) o",
	ORDER_ENTRY));

QUERY(orders_of_everybody, PAGED_QUERY("orders",
	" SELECT o.id FROM orders.orders o WHERE " WITH_STATUS,
	ORDER_ENTRY));

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
		    .choices = CHOICES("me")),
		PARAM(all,    BOOL,   "Everybody's; for admins only")),
	.output  = FIELDS(
		OUT_OBJECT(orders, order_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
	.errors  = ERRORS(ERR_FORBIDDEN),
};

static const struct row *
sold_by(struct req *rq, const char *me)
{
	const struct input *in = req_input(rq);

	if (in->status == NULL && in->user == NULL)
		return db_one(rq, &orders_of_seller, PAGING_ARGUMENTS(rq, in), me, me);
	return db_one(rq, one_of(in->status, "pending", "confirmed", "paid", "processing",
	    "shipped") ? &open_orders_of_seller : &some_orders_of_seller,
	    PAGING_ARGUMENTS(rq, in), in->status, me, me, in->user);
}

static struct status
list_orders(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *me = req_user(rq), *user = in->user == NULL ? me : in->user;

	if ((strcmp(user, me) != 0 || one_of(in->all, "true")) && !req_is(rq, ACCESS_ADMIN))
		return fail_text(rq, ERR_FORBIDDEN, "Only admins see others' orders");
	if (in->seller != NULL && !req_is(rq, ACCESS_SELLER))
		return fail_text(rq, ERR_FORBIDDEN, "Only sellers have orders to sell");
	if (in->seller != NULL)
		return reply_row(rq, 200, sold_by(rq, me));
	if (one_of(in->all, "true") && in->user == NULL)
		return reply_row(rq, 200, db_one(rq, &orders_of_everybody,
		    PAGING_ARGUMENTS(rq, in), in->status, me));
	return reply_row(rq, 200, db_one(rq, &orders_of_user, PAGING_ARGUMENTS(rq, in),
	    in->status, me, user));
}
