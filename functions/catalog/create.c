/*
 * POST /api/products
 *
 * Puts a product up for sale, in the shop's currency and owned by the caller.
 */
#include "fn.h"

#include "money.h"
#include "product_shape.h"

struct input {
	const char *name, *price, *description, *category_id, *sku, *barcode, *weight;
	const char *compare_at_price, *cost_per_item, *tags, *is_featured;
	int64_t stock_quantity, stock;
};

QUERY(category_exists,
	"SELECT id FROM catalog.category WHERE id = $1");

QUERY(add_product,
	"WITH added AS ("
	" INSERT INTO catalog.product (seller_id, currency, name, slug, price,"
	"        description, category_id, sku, barcode, weight, compare_at_price,"
	"        cost_per_item, tags, is_featured)"
	" VALUES ($1, $2, $3, catalog.product_slug($3, $15), $4, $5, $6, $7, $8, $9, $10, $11,"
	"        coalesce((SELECT array_agg(t) FROM json_array_elements_text($12) t), '{}'),"
	"        coalesce($13, false))"
	" ON CONFLICT DO NOTHING RETURNING id),"
	" stocked AS ("
	" INSERT INTO catalog.stock (product_id, received, available)"
	" SELECT id, $14, $14 FROM added),"
	" logged AS ("
	" INSERT INTO catalog.inventory_log (product_id, change, reason, changed_by)"
	" SELECT id, $14, 'initial stock', $1 FROM added WHERE $14 > 0)"
	" SELECT id FROM added");

QUERY(sku_is_taken,
	"SELECT id FROM catalog.product WHERE seller_id = $1 AND sku = $2");

QUERY(find,
	"SELECT row_to_json(w) FROM catalog.product_wire_seller w WHERE id = $1");

ENDPOINT(create_product) = {
	.method  = HTTP_POST,
	.path    = "/api/products",
	.summary = "Put a product up for sale",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.purges  = "products",
	.idempotent = true,
	.success = 201,
	.input   = FIELDS(
		BODY(name,             STR,    "Its name", .required = true, .min = 1, .max = 255,
		    .example = "\"Taliouine Saffron\""),
		BODY(price,            MONEY,  "What one costs", .required = true,
		    .example = "\"19.99\""),
		BODY(description,      STR,    "What it is", .max = 10000),
		BODY(category_id,      ID,     "Its category"),
		BODY(stock_quantity,   INT,    "How many there are", .min = 0, .max = 1000000000),
		BODY(stock,            INT,    "The same, by its old name", .min = 0, .max = 1000000000),
		BODY(sku,              STR,    "Your own number, unlike your others", .min = 1, .max = 100),
		BODY(barcode,          STR,    "EAN, UPC or the like", .min = 1, .max = 100),
		BODY(weight,           NUMBER, "In kilograms", .example = "\"0.250\""),
		BODY(compare_at_price, MONEY,  "What it cost before"),
		BODY(cost_per_item,    MONEY,  "What it cost you; shown to you only"),
		BODY(tags,             STRS,   "Words to find it by", .max = 50,
		    .example = "[\"spice\", \"saffron\"]"),
		BODY(is_featured,      BOOL,   "Show it first")),
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
	    in->is_featured, text(rq, stock), numbered ? "true" : "false");
}

static struct status
create_product(struct req *rq)
{
	const struct input *in = req_input(rq);
	int64_t stock = req_has(rq, in, stock_quantity) ? in->stock_quantity : in->stock;
	const struct row *added;

	if (req_has(rq, in, stock) && req_has(rq, in, stock_quantity) &&
	    in->stock != in->stock_quantity)
		return fail_field(rq, "stock", "conflict", "Says something else than stock_quantity");
	if (in->category_id != NULL && db_one(rq, &category_exists, in->category_id) == NULL)
		return fail_field(rq, "category_id", "unknown", "There is no such category");
	added = add(rq, in, stock, false);
	if (added == NULL && db_one(rq, &sku_is_taken, req_user(rq), in->sku) != NULL)
		return fail(rq, ERR_SKU_TAKEN);
	if (added == NULL)
		added = add(rq, in, stock, true);
	return reply_row(rq, 201, db_one(rq, &find, row_text(added, "id")));
}
