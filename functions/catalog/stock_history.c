/*
 * GET /api/products/{id}/stock/history
 *
 * The inventory log, newest first: what people changed and what orders moved.
 * The changes add up to what can be ordered.  It outlives the product.
 */
#include "fn.h"

#include "paging.h"

struct input {
	const char *id;
	PAGING_MEMBERS;
};

static const struct shape movement_shape = {
	.name = "StockMovement",
	.doc = "An entry of the inventory log",
	.fields = FIELDS(
		OUT(id,         ID,     "The entry"),
		OUT(product_id, ID,     "The product", .example = "1"),
		OUT(kind,       CHOICE, "A person's adjustment, or what an order did",
		    .choices = CHOICES("adjusted", "reserved", "released", "sold", "returned")),
		OUT(quantity,   INT,    "How many units it is about", .example = "2"),
		OUT(change,     INT,    "By how much what can be ordered changed; selling what"
		    " was reserved changes nothing", .example = "-2"),
		OUT(balance,    INT,    "What could be ordered after it", .example = "23"),
		OUT(reason,     STR,    "Why, of an adjustment", .nullable = true),
		OUT(order_id,   ID,     "The order, of the others", .nullable = true),
		OUT(changed_by, ID,     "Who adjusted", .nullable = true),
		OUT(created_at, TIME,   "When")),
};

QUERY(page_of_log, PAGED_QUERY("history",
	" SELECT id FROM catalog.inventory_log WHERE product_id = $5",
	"(SELECT row_to_json(q) FROM ("
	"   SELECT l.id, l.product_id, l.kind, l.quantity, l.change, l.balance, l.reason,"
	"          l.order_id, l.changed_by, ops.wire_time(l.created_at) AS created_at"
	"     FROM catalog.inventory_log l WHERE l.id = g.id) q)")
	" WHERE EXISTS (SELECT FROM catalog.product"
	"                WHERE id = $5 AND ($7::boolean OR seller_id = $6))");

ENDPOINT(stock_history) = {
	.method  = HTTP_GET,
	.path    = "/api/products/{id}/stock/history",
	.summary = "What has come and gone of a product",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id, ID, "The product", .example = "1"),
		PAGING_FIELDS),
	.output  = FIELDS(
		OUT_OBJECT(history, movement_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static struct status
stock_history(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &page_of_log, PAGING_ARGUMENTS(rq, in), in->id,
	    req_user(rq), req_is(rq, ACCESS_ADMIN) ? "true" : "false"));
}
