/*
 * DELETE /api/products/{id}/images/{image_id}
 *
 * The product shows the picture no more.  Its files stay for a while, for
 * pages that were made before; then media-collect deletes them.
 */
#include "fn.h"

struct input {
	const char *id, *image_id;
};

QUERY(remove_image,
	"DELETE FROM catalog.product_image i USING ("
	"  SELECT id FROM catalog.product"
	"   WHERE id = $1 AND deleted_at IS NULL AND ($4::boolean OR seller_id = $3) FOR NO KEY UPDATE) p"
	" WHERE i.product_id = p.id AND i.id = $2");

ENDPOINT(delete_image) = {
	.method  = HTTP_DELETE,
	.path    = "/api/products/{id}/images/{image_id}",
	.summary = "Remove a picture from a product",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.purges  = "products",
	.input   = FIELDS(
		PATH(id,       ID, "The product", .example = "1"),
		PATH(image_id, ID, "The picture", .example = "1")),
	.output  = FIELDS(
		OUT(message,   STR, "What was done", .example = "\"The picture is removed\"")),
	.errors  = ERRORS(ERR_NOT_FOUND),
};

static struct status
delete_image(struct req *rq)
{
	const struct input *in = req_input(rq);

	if (db_run(rq, &remove_image, in->id, in->image_id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false") == 0)
		return fail(rq, ERR_NOT_FOUND);
	return reply_message(rq, 200, "The picture is removed");
}
