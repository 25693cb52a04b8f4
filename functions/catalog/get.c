/*
 * GET /api/products/{id}
 *
 * One product.  Its seller and admins see what it cost them, and see it while
 * it is off sale; for everybody else it is then not there.
 */
#include "fn.h"

#include "product_shape.h"

struct input {
	const char *id;
};

QUERY(for_anyone,
	"SELECT row_to_json(w) FROM catalog.product_wire w WHERE id = $1 AND is_active");

QUERY(for_seller,
	"SELECT CASE WHEN $3::boolean OR w.seller_id = $2"
	"       THEN row_to_json(w)"
	"       ELSE (SELECT row_to_json(a) FROM catalog.product_wire a WHERE a.id = w.id) END"
	"  FROM catalog.product_wire_seller w"
	" WHERE id = $1 AND (is_active OR (($3 OR seller_id = $2) AND EXISTS ("
	"       SELECT FROM catalog.product p WHERE p.id = $1 AND p.deleted_at IS NULL)))");

ENDPOINT(get_product) = {
	.method  = HTTP_GET,
	.path    = "/api/products/{id}",
	.summary = "One product",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.cache   = { .seconds = 60, .tag = "products", .private_for = ACCESS_SELLER },
	.input   = FIELDS(
		PATH(id, ID, "The product", .example = "1")),
	.answer  = &product_shape,
};

static struct status
get_product(struct req *rq)
{
	const struct input *in = req_input(rq);

	if (!req_is(rq, ACCESS_SELLER))
		return reply_row(rq, 200, db_one(rq, &for_anyone, in->id));
	return reply_row(rq, 200, db_one(rq, &for_seller, in->id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false"));
}
