/*
 * PUT /api/products/{id}/reviews/{review_id}
 *
 * Its author changes their mind.  What is not sent stays; null clears.  Whether
 * they have bought the product is looked at again.
 */
#include "fn.h"

#include "review_shape.h"

struct input {
	const char *id, *review_id, *title, *comment;
	int64_t rating;
};

QUERY(change,
	"UPDATE catalog.review SET rating = coalesce(nullif($4::smallint, 0), rating),"
	"       title = CASE WHEN $5::boolean THEN $6 ELSE title END,"
	"       comment = CASE WHEN $7::boolean THEN $8 ELSE comment END,"
	"       is_verified_purchase = orders.has_bought(user_id, product_id),"
	"       updated_at = now()"
	" WHERE product_id = $1 AND id = $2 AND user_id = $3 RETURNING id");

ENDPOINT(update_review) = {
	.method  = HTTP_PUT,
	.path    = "/api/products/{id}/reviews/{review_id}",
	.summary = "Change one's own review",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.purges  = "products reviews",
	.input   = FIELDS(
		PATH(id,        ID, "The product", .example = "1"),
		PATH(review_id, ID, "The review", .example = "1"),
		REVIEW_FIELDS(false)),
	.answer  = &review_shape,
};

static struct status
update_review(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *changed = db_one(rq, &change, in->id, in->review_id, req_user(rq),
	    text(rq, in->rating), req_has(rq, in, title) ? "true" : "false", in->title,
	    req_has(rq, in, comment) ? "true" : "false", in->comment);

	return review_reply(rq, 200, row_text(changed, "id"));
}
