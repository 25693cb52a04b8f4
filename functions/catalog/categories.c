/*
 * GET /api/categories
 *
 * All categories in one answer, by name; a client builds the tree from
 * parent_id.
 */
#include "fn.h"

static const struct shape category_shape = {
	.name = "Category",
	.doc = "A shelf of the shop",
	.fields = FIELDS(
		OUT(id,          ID,   "The category", .example = "1"),
		OUT(parent_id,   ID,   "What it is a part of", .nullable = true),
		OUT(name,        STR,  "Its name", .example = "\"Spices\""),
		OUT(slug,        STR,  "Its name for addresses of pages", .example = "\"spices\""),
		OUT(description, STR,  "What is there", .nullable = true),
		OUT(created_at,  TIME, "When it was made"),
		OUT(updated_at,  TIME, "When it last changed")),
};

QUERY(all,
	"SELECT coalesce(json_agg(c ORDER BY c.name, c.id), '[]') FROM ("
	"SELECT id, parent_id, name, slug, description,"
	"       ops.wire_time(created_at) AS created_at,"
	"       ops.wire_time(updated_at) AS updated_at"
	"  FROM catalog.category) c");

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
