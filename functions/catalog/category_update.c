/*
 * PUT /api/categories/{id}
 *
 * Renames, describes or moves a category; what is below it goes along.  What is
 * not sent stays; null clears, and moves to the top.  The slug stays: pages are
 * linked by it.
 */
#include "fn.h"

#include "audit.h"
#include "category_shape.h"

struct input {
	const char *id, *name, *description, *parent_id;
};

QUERY(change,
	"UPDATE catalog.category SET name = coalesce($2, name),"
	"       description = CASE WHEN $3::boolean THEN $4 ELSE description END,"
	"       parent_id = CASE WHEN $5::boolean THEN $6::bigint ELSE parent_id END,"
	"       updated_at = now()"
	" WHERE id = $1");

ENDPOINT(update_category) = {
	.method  = HTTP_PUT,
	.path    = "/api/categories/{id}",
	.summary = "Change a category",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.purges  = "categories products",	/* which tell its name */
	.input   = FIELDS(
		PATH(id, ID, "The category", .example = "1"),
		BODY(name,        STR, "Its name", .not_null = true, .min = 1, .max = 100,
		    .example = "\"Spices\""),
		BODY(description, STR, "What is there", .max = 2000),
		BODY(parent_id,   ID,  "What it is a part of")),
	.answer  = &category_shape,
	.errors  = ERRORS(ERR_CATEGORY_CYCLE),
};

static struct status
update_category(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *before = category_json(rq, in->id), *after;

	if (before == NULL)
		return fail(rq, ERR_NOT_FOUND);
	category_check_parent(rq, in->parent_id);
	db_run(rq, &change, in->id, in->name,
	    req_has(rq, in, description) ? "true" : "false", in->description,
	    req_has(rq, in, parent_id) ? "true" : "false", in->parent_id);
	after = category_json(rq, in->id);
	audit(rq, "category.updated", fmt(rq, "category:%s", in->id), before, after);
	return reply_json(rq, 200, after);
}
