/*
 * GET /api/categories
 *
 * All categories in one answer, by name; a client builds the tree from
 * parent_id.
 */
#include "fn.h"

#include "category_shape.h"

QUERY(all,
	"SELECT coalesce(json_agg(c ORDER BY c.name, c.id), '[]')"
	"  FROM catalog.category_wire c");

ENDPOINT(list_categories) = {
	.method  = HTTP_GET,
	.path    = "/api/categories",
	.summary = "All categories",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.cache   = { .seconds = 300, .tag = "categories" },
	.answer  = &category_shape,
	.many    = true,
};

static struct status
list_categories(struct req *rq)
{
	return reply_row(rq, 200, db_one(rq, &all));
}
