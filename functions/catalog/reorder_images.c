/*
 * PUT /api/products/{id}/images
 *
 * Puts a product's pictures in another order.  All of them are named, so that
 * of two who reorder at once, or one who does while another adds a picture,
 * nobody's is lost: who has not seen them all is told.
 */
#include "fn.h"

#include "image_shape.h"

struct input {
	const char *id, *ids;
};

/* The product's row keeps others from its pictures meanwhile. */
QUERY(lock_product,
	"SELECT id FROM catalog.product"
	" WHERE id = $1 AND deleted_at IS NULL AND ($3::boolean OR seller_id = $2) FOR NO KEY UPDATE");

QUERY(all_are_named,
	"SELECT ARRAY(SELECT i.id FROM catalog.product_image i WHERE i.product_id = $1 ORDER BY 1)"
	"     = ARRAY(SELECT t::bigint FROM json_array_elements_text($2) t ORDER BY 1) AS they_are");

QUERY(reorder,
	"UPDATE catalog.product_image i SET place = t.place"
	"  FROM json_array_elements_text($2) WITH ORDINALITY t (id, place)"
	" WHERE i.product_id = $1 AND i.id = t.id::bigint AND i.place <> t.place");

QUERY(list,
	"SELECT coalesce(json_agg(" IMAGE_JSON " ORDER BY i.place), '[]')"
	"  FROM catalog.product_image_wire i WHERE i.product_id = $1");

ENDPOINT(reorder_images) = {
	.method  = HTTP_PUT,
	.path    = "/api/products/{id}/images",
	.summary = "Put a product's pictures in order",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.purges  = "products",
	.input   = FIELDS(
		PATH(id,  ID,  "The product", .example = "1"),
		BODY(ids, IDS, "Each of its pictures, the first one first", .required = true,
		    .max = 100, .example = "[2, 1]")),
	.answer  = &image_shape,
	.many    = true,
	.errors  = ERRORS(ERR_NOT_FOUND),
};

static struct status
reorder_images(struct req *rq)
{
	const struct input *in = req_input(rq);

	if (db_one(rq, &lock_product, in->id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false") == NULL)
		return fail(rq, ERR_NOT_FOUND);
	if (!row_bool(db_one(rq, &all_are_named, in->id, in->ids), "they_are"))
		return fail_field(rq, "ids", "incomplete",
		    "Must name each picture of the product once");
	db_run(rq, &reorder, in->id, in->ids);
	return reply_row(rq, 200, db_one(rq, &list, in->id));
}
