/*
 * GET /api/products/{id}/images
 *
 * A product's pictures in their order, with every size and format there is.
 * Whoever may see the product may see them; its seller, before it is for sale.
 */
#include "fn.h"

#include "image_shape.h"

struct input {
	const char *id;
};

QUERY(list,
	"SELECT (SELECT coalesce(json_agg(" IMAGE_JSON " ORDER BY i.place), '[]')"
	"          FROM catalog.product_image_wire i WHERE i.product_id = p.id)"
	"  FROM catalog.product p"
	" WHERE p.id = $1 AND p.deleted_at IS NULL AND (p.is_active OR $3::boolean OR p.seller_id = $2)");

ENDPOINT(list_images) = {
	.method  = HTTP_GET,
	.path    = "/api/products/{id}/images",
	.summary = "A product's pictures",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.cache   = { .seconds = 60, .tag = "products", .private_for = ACCESS_SELLER },
	.input   = FIELDS(
		PATH(id, ID, "The product", .example = "1")),
	.answer  = &image_shape,
	.many    = true,
};

static struct status
list_images(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &list, in->id,
	    req_is(rq, ACCESS_SELLER) ? req_user(rq) : NULL,
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false"));
}
