/*
 * DELETE /api/products/{id}
 *
 * Takes a product away for good.  It is in no list and answers 404 from now
 * on; orders and the inventory log keep what they say of it.
 */
#include "fn.h"

#include "product_claim.h"

struct input {
	const char *id;
};

QUERY(remove_product,
	"UPDATE catalog.product SET is_active = false, deleted_at = now(), updated_at = now()"
	" WHERE id = $1");

ENDPOINT(delete_product) = {
	.method  = HTTP_DELETE,
	.path    = "/api/products/{id}",
	.summary = "Take a product away",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.purges  = "products reviews",
	.if_match = true,
	.input   = FIELDS(
		PATH(id, ID, "The product", .example = "1")),
	.output  = FIELDS(
		OUT(message, STR, "What happened")),
};

static struct status
delete_product(struct req *rq)
{
	const struct input *in = req_input(rq);

	product_claim(rq, in->id, "product.deleted");
	db_run(rq, &remove_product, in->id);
	return reply_message(rq, 200, "Product deleted");
}
