#include "category_shape.h"

const struct shape category_shape = {
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

QUERY(find,
	"SELECT row_to_json(c) AS category FROM catalog.category_wire c WHERE id = $1");
QUERY(parent_exists,
	"SELECT id FROM catalog.category WHERE id = $1");

const char *
category_json(struct req *rq, const char *id)
{
	return row_text(db_one(rq, &find, id), "category");
}

void
category_check_parent(struct req *rq, const char *parent_id)
{
	if (parent_id != NULL && db_one(rq, &parent_exists, parent_id) == NULL)
		fail_field(rq, "parent_id", "unknown", "There is no such category");
}
