/*
 * POST /api/products
 *
 * Puts a product up for sale, in the shop's currency and owned by the caller.
 * Its slug follows its name, and stays when the name changes.
 */
#include "fn.h"

#include "money.h"
#include "product_claim.h"
#include "product_fields.h"
#include "product_shape.h"

struct input {
	PRODUCT_INPUT;
};

QUERY(add_product,
	"WITH added AS ("
	" INSERT INTO catalog.product (seller_id, currency, name, slug, price,"
	"        description, category_id, sku, barcode, weight, compare_at_price,"
	"        cost_per_item, tags, is_featured, in_stock)"
	" VALUES ($1, $2, $3, catalog.product_slug($3, $15), $4, $5, $6, $7, $8, $9, $10, $11,"
	"        catalog.distinct_tags(ARRAY(SELECT json_array_elements_text($12))),"
	"        coalesce($13, false), $14::bigint > 0)"
	" ON CONFLICT DO NOTHING RETURNING id),"
	" stocked AS ("
	" INSERT INTO catalog.stock (product_id, received, available, low_stock_threshold)"
	" SELECT id, $14, $14, nullif($16::bigint, -1) FROM added),"
	" logged AS ("
	" INSERT INTO catalog.inventory_log (product_id, quantity, change, balance, reason, changed_by)"
	" SELECT id, $14, $14, $14, 'initial stock', $1 FROM added WHERE $14 > 0)"
	" SELECT id FROM added");

QUERY(sku_is_taken,
	"SELECT id FROM catalog.product"
	" WHERE seller_id = $1 AND sku = $2 AND deleted_at IS NULL");

ENDPOINT(create_product) = {
	.method  = HTTP_POST,
	.path    = "/api/products",
	.summary = "Put a product up for sale",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.purges  = "products",
	.idempotent = true,
	.success = 201,
	.input   = FIELDS(PRODUCT_FIELDS(true)),
	.answer  = &product_shape,
	.errors  = ERRORS(ERR_SKU_TAKEN),
};

/* NULL when the SKU or the slug is taken. */
static const struct row *
add(struct req *rq, const struct input *in, int64_t stock, bool numbered)
{
	return db_one(rq, &add_product, req_user(rq), shop_currency(), in->name,
	    in->price, in->description, in->category_id, in->sku, in->barcode,
	    in->weight, in->compare_at_price, in->cost_per_item, in->tags,
	    in->is_featured, text(rq, stock < 0 ? 0 : stock), numbered ? "true" : "false",
	    text(rq, in->low_stock_threshold));
}

static struct status
create_product(struct req *rq)
{
	const struct input *in = req_input(rq);
	int64_t stock = product_fields_check(rq, in->category_id, in->stock_quantity, in->stock);
	const struct row *added = add(rq, in, stock, false);

	if (added == NULL && db_one(rq, &sku_is_taken, req_user(rq), in->sku) != NULL)
		return fail(rq, ERR_SKU_TAKEN);
	if (added == NULL)
		added = add(rq, in, stock, true);
	return product_reply(rq, 201, row_text(added, "id"));
}
