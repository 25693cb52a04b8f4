/*
 * PUT /api/products/{id}
 *
 * Changes what is sent and leaves the rest, so that two changes of different
 * fields at once both stand; null clears.  stock_quantity is what can be
 * ordered from now on: the difference is a movement in the inventory log, and
 * what orders have reserved stays theirs.  The slug stays: pages are linked by it.
 */
#include "fn.h"

#include "product_claim.h"
#include "product_fields.h"
#include "product_shape.h"

struct input {
	const char *id, *is_active;
	PRODUCT_INPUT;
};

QUERY(sku_is_taken,
	"SELECT o.id FROM catalog.product p JOIN catalog.product o USING (seller_id)"
	" WHERE p.id = $1 AND o.id <> p.id AND o.sku = $2 AND o.deleted_at IS NULL");

#define OR_CLEARED(column, value)					\
	column " = CASE WHEN '" column "' = ANY ($2::text[]) THEN NULL"	\
	"          ELSE coalesce(" value ", " column ") END,"

QUERY(change,
	"UPDATE catalog.product SET"
	"  name = coalesce($3, name), price = coalesce($4::bigint, price),"
	OR_CLEARED("description", "$5::text")
	OR_CLEARED("category_id", "$6::bigint")
	OR_CLEARED("sku", "$7::text")
	OR_CLEARED("barcode", "$8::text")
	OR_CLEARED("weight", "$9::numeric")
	OR_CLEARED("compare_at_price", "$10::bigint")
	OR_CLEARED("cost_per_item", "$11::bigint")
	"  tags = CASE WHEN $12::json IS NULL THEN tags ELSE"
	"         catalog.distinct_tags(ARRAY(SELECT json_array_elements_text($12))) END,"
	"  is_featured = coalesce($13::boolean, is_featured),"
	"  is_active = coalesce($14::boolean, is_active), updated_at = now()"
	" WHERE id = $1");

QUERY(set_stock,
	"SELECT catalog.set_stock($1, $2, 'set with the product', $3)");

QUERY(set_threshold,
	"UPDATE catalog.stock SET low_stock_threshold = nullif($2::bigint, -1)"
	" WHERE product_id = $1");

ENDPOINT(update_product) = {
	.method  = HTTP_PUT,
	.path    = "/api/products/{id}",
	.summary = "Change a product",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.purges  = "products reviews",
	.if_match = true,
	.input   = FIELDS(
		PATH(id, ID, "The product", .example = "1"),
		PRODUCT_FIELDS(false),
		BODY(is_active, BOOL, "Whether it is for sale", .not_null = true)),
	.answer  = &product_shape,
	.errors  = ERRORS(ERR_SKU_TAKEN),
};

/* The columns that were sent as null, as a Postgres array. */
static const char *
cleared(struct req *rq, const struct input *in)
{
	const char *list = "";

#define ADD_CLEARED(column)						\
	if (req_has(rq, in, column) && in->column == NULL)		\
		list = fmt(rq, "%s%s" #column, list, *list == '\0' ? "" : ",")
	ADD_CLEARED(description);
	ADD_CLEARED(category_id);
	ADD_CLEARED(sku);
	ADD_CLEARED(barcode);
	ADD_CLEARED(weight);
	ADD_CLEARED(compare_at_price);
	ADD_CLEARED(cost_per_item);
#undef ADD_CLEARED
	return fmt(rq, "{%s}", list);
}

static struct status
update_product(struct req *rq)
{
	const struct input *in = req_input(rq);
	int64_t stock = product_fields_check(rq, in->category_id, in->stock_quantity, in->stock);

	product_claim(rq, in->id, "product.updated");
	if (in->sku != NULL && db_one(rq, &sku_is_taken, in->id, in->sku) != NULL)
		return fail(rq, ERR_SKU_TAKEN);
	db_run(rq, &change, in->id, cleared(rq, in), in->name, in->price, in->description,
	    in->category_id, in->sku, in->barcode, in->weight, in->compare_at_price,
	    in->cost_per_item, in->tags, in->is_featured, in->is_active);
	if (req_has(rq, in, low_stock_threshold))
		db_run(rq, &set_threshold, in->id, text(rq, in->low_stock_threshold));
	if (stock >= 0)
		db_run(rq, &set_stock, in->id, text(rq, stock), req_user(rq));
	return product_reply(rq, 200, in->id);
}
