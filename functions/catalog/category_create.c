/*
 * POST /api/categories
 *
 * A new category, at the top or below another.  Its slug follows its name, and
 * stays when the name changes.
 */
#include "fn.h"

#include "audit.h"
#include "category_shape.h"

struct input {
	const char *name, *description, *parent_id;
};

QUERY(add,
	"SELECT catalog.add_category($1, $2, $3) AS id");

ENDPOINT(create_category) = {
	.method  = HTTP_POST,
	.path    = "/api/categories",
	.summary = "Add a category",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.purges  = "categories",
	.idempotent = true,
	.success = 201,
	.input   = FIELDS(
		BODY(name,        STR, "Its name", .required = true, .min = 1, .max = 100,
		    .example = "\"Spices\""),
		BODY(description, STR, "What is there", .max = 2000),
		BODY(parent_id,   ID,  "What it is a part of")),
	.answer  = &category_shape,
};

static struct status
create_category(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *id, *made;

	category_check_parent(rq, in->parent_id);
	id = row_text(db_one(rq, &add, in->name, in->description, in->parent_id), "id");
	made = category_json(rq, id);
	audit(rq, "category.created", fmt(rq, "category:%s", id), NULL, made);
	return reply_json(rq, 201, made);
}
