/*
 * GET /api/products/{id}/stock
 *
 * Where every unit of a product is.  available + reserved + sold = received.
 */
#include "fn.h"

struct input {
	const char *id;
};

static const struct shape stock_shape = {
	.name = "Stock",
	.doc = "Where every unit of a product is",
	.fields = FIELDS(
		OUT(product_id, ID,  "The product", .example = "1"),
		OUT(received,   INT, "All there ever were, less what was taken away",
		    .example = "30"),
		OUT(available,  INT, "What can be ordered now", .example = "25"),
		OUT(reserved,   INT, "Held for orders that are not paid", .example = "2"),
		OUT(sold,       INT, "Of orders that are", .example = "3"),
		OUT(low_stock_threshold, INT, "The seller is told when so few are left",
		    .nullable = true, .example = "5")),
};

QUERY(find,
	"SELECT row_to_json(q) FROM ("
	"SELECT s.product_id, s.received, s.available, s.reserved, s.sold, s.low_stock_threshold"
	"  FROM catalog.stock s JOIN catalog.product p ON p.id = s.product_id"
	" WHERE p.id = $1 AND p.deleted_at IS NULL AND ($3::boolean OR p.seller_id = $2)) q");

ENDPOINT(get_stock) = {
	.method  = HTTP_GET,
	.path    = "/api/products/{id}/stock",
	.summary = "Where every unit of a product is",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id, ID, "The product", .example = "1")),
	.answer  = &stock_shape,
};

static struct status
get_stock(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &find, in->id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false"));
}
