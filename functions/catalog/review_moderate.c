/*
 * PUT /api/products/{id}/reviews/{review_id}/moderation
 *
 * An admin takes a review out of sight, or back into it.  A hidden one is not
 * counted, and its author can write no other in its place.
 */
#include "fn.h"

#include "audit.h"
#include "review_shape.h"

struct input {
	const char *id, *review_id, *is_hidden, *reason;
};

QUERY(moderate,
	"UPDATE catalog.review SET hidden_at = CASE WHEN $3::boolean THEN now() END"
	" WHERE product_id = $1 AND id = $2"
	" RETURNING id, json_build_object('reason', $4::text) AS why");

ENDPOINT(moderate_review) = {
	.method  = HTTP_PUT,
	.path    = "/api/products/{id}/reviews/{review_id}/moderation",
	.summary = "Hide a review, or show it again",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.purges  = "products reviews",
	.input   = FIELDS(
		PATH(id,        ID,   "The product", .example = "1"),
		PATH(review_id, ID,   "The review", .example = "1"),
		BODY(is_hidden, BOOL, "Whether it is out of sight", .required = true,
		    .example = "true"),
		BODY(reason,    STR,  "Why, for the audit log", .max = 500, .example = "\"advertising\"")),
	.answer  = &review_shape,
};

static struct status
moderate_review(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *changed = db_one(rq, &moderate, in->id, in->review_id,
	    in->is_hidden, in->reason);

	if (changed == NULL)
		return fail(rq, ERR_NOT_FOUND);
	audit(rq, one_of(in->is_hidden, "true") ? "review.hidden" : "review.shown",
	    fmt(rq, "review:%s", in->review_id), NULL, row_text(changed, "why"));
	return review_reply(rq, 200, row_text(changed, "id"));
}
