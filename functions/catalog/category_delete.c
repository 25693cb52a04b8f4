/*
 * DELETE /api/categories/{id}
 *
 * Takes an empty category away.  One with categories below it or products in
 * it is refused, on sale or not: nothing is moved that nobody asked to move.
 */
#include "fn.h"

#include "audit.h"
#include "category_shape.h"

struct input {
	const char *id;
};

QUERY(lock,
	"SELECT id FROM catalog.category WHERE id = $1 FOR UPDATE");
QUERY(contents,
	"SELECT EXISTS (SELECT FROM catalog.category WHERE parent_id = $1) AS categories,"
	"       EXISTS (SELECT FROM catalog.product"
	"                WHERE category_id = $1 AND deleted_at IS NULL) AS products");
/* Deleted products are nowhere any more. */
QUERY(forget,
	"UPDATE catalog.product SET category_id = NULL"
	" WHERE category_id = $1 AND deleted_at IS NOT NULL");
QUERY(remove_category,
	"DELETE FROM catalog.category WHERE id = $1");

ENDPOINT(delete_category) = {
	.method  = HTTP_DELETE,
	.path    = "/api/categories/{id}",
	.summary = "Take an empty category away",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.purges  = "categories products",	/* the list of its products */
	.input   = FIELDS(
		PATH(id, ID, "The category", .example = "1")),
	.output  = FIELDS(
		OUT(message, STR, "What happened")),
	.errors  = ERRORS(ERR_CATEGORY_IN_USE),
};

static struct status
delete_category(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *has;

	if (db_one(rq, &lock, in->id) == NULL)
		return fail(rq, ERR_NOT_FOUND);
	has = db_one(rq, &contents, in->id);
	if (row_bool(has, "categories"))
		return fail_text(rq, ERR_CATEGORY_IN_USE, "There are categories below it");
	if (row_bool(has, "products"))
		return fail_text(rq, ERR_CATEGORY_IN_USE, "There are products in it");
	audit(rq, "category.deleted", fmt(rq, "category:%s", in->id),
	    category_json(rq, in->id), NULL);
	db_run(rq, &forget, in->id);
	db_run(rq, &remove_category, in->id);
	return reply_message(rq, 200, "Category deleted");
}
