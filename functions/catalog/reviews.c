/*
 * GET /api/products/{id}/reviews
 *
 * What people think of a product, newest first.  Admins see hidden ones too.
 */
#include "fn.h"

#include "paging.h"
#include "review_shape.h"

struct input {
	const char *id;
	PAGING_MEMBERS;
};

QUERY(page_of_reviews, PAGED_QUERY("reviews",
	" SELECT id FROM catalog.review"
	"  WHERE product_id = $5 AND ($6::boolean OR hidden_at IS NULL)",
	"(SELECT row_to_json(r) FROM catalog.review_wire r WHERE r.id = g.id)")
	" WHERE EXISTS (SELECT FROM catalog.product"
	"                WHERE id = $5 AND deleted_at IS NULL AND (is_active OR $6))");

ENDPOINT(list_reviews) = {
	.method  = HTTP_GET,
	.path    = "/api/products/{id}/reviews",
	.summary = "What people think of a product",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.cache   = { .seconds = 60, .tag = "reviews", .private_for = ACCESS_ADMIN },
	.input   = FIELDS(
		PATH(id, ID, "The product", .example = "1"),
		PAGING_FIELDS),
	.output  = FIELDS(
		OUT_OBJECT(reviews, review_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static struct status
list_reviews(struct req *rq)
{
	const struct input *in = req_input(rq);

	return reply_row(rq, 200, db_one(rq, &page_of_reviews, PAGING_ARGUMENTS(rq, in),
	    in->id, one_of(req_role(rq), "admin") ? "true" : "false"));
}
