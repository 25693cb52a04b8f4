/*
 * POST /api/products/{id}/reviews
 *
 * One review by each user of each product that is not their own.
 */
#include "fn.h"

#include "review_shape.h"

#include <string.h>

struct input {
	const char *id, *title, *comment;
	int64_t rating;
};

QUERY(seller_of,
	"SELECT seller_id FROM catalog.product WHERE id = $1 AND is_active");

QUERY(add,
	"INSERT INTO catalog.review (product_id, user_id, rating, title, comment,"
	"       is_verified_purchase)"
	" VALUES ($1, $2, $3, $4, $5, orders.has_bought($2, $1))"
	" ON CONFLICT (product_id, user_id) DO NOTHING RETURNING id");

ENDPOINT(create_review) = {
	.method  = HTTP_POST,
	.path    = "/api/products/{id}/reviews",
	.summary = "Review a product",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.purges  = "products reviews",
	.idempotent = true,
	.success = 201,
	.input   = FIELDS(
		PATH(id, ID, "The product", .example = "1"),
		REVIEW_FIELDS(true)),
	.answer  = &review_shape,
	.errors  = ERRORS(ERR_FORBIDDEN, ERR_REVIEW_EXISTS),
};

static struct status
create_review(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *seller = row_text(db_one(rq, &seller_of, in->id), "seller_id");
	const struct row *added;

	if (seller == NULL)
		return fail(rq, ERR_NOT_FOUND);
	if (strcmp(seller, req_user(rq)) == 0)
		return fail_text(rq, ERR_FORBIDDEN, "Nobody reviews what they sell themselves");
	added = db_one(rq, &add, in->id, req_user(rq), text(rq, in->rating), in->title,
	    in->comment);
	if (added == NULL)
		return fail(rq, ERR_REVIEW_EXISTS);
	return review_reply(rq, 201, row_text(added, "id"));
}
