#include "product_fields.h"

QUERY(category_exists,
	"SELECT id FROM catalog.category WHERE id = $1");

int64_t
product_fields_check(struct req *rq, const char *category_id, int64_t stock_quantity,
    int64_t stock)
{
	if (category_id != NULL && db_one(rq, &category_exists, category_id) == NULL)
		fail_field(rq, "category_id", "unknown", "There is no such category");
	if (stock >= 0 && stock_quantity >= 0 && stock != stock_quantity)
		fail_field(rq, "stock", "conflict", "Says something else than stock_quantity");
	return stock >= 0 ? stock : stock_quantity;
}
