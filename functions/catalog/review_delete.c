/*
 * DELETE /api/products/{id}/reviews/{review_id}
 *
 * Its author, or an admin, takes a review back.  One that was hidden is only an
 * admin's to delete, or it could be written anew in full view.
 */
#include "fn.h"

#include "audit.h"

struct input {
	const char *id, *review_id;
};

QUERY(remove_review,
	"DELETE FROM catalog.review"
	" WHERE product_id = $1 AND id = $2"
	"   AND ($4::boolean OR (user_id = $3 AND hidden_at IS NULL))"
	" RETURNING user_id <> $3 AS of_another");

ENDPOINT(delete_review) = {
	.method  = HTTP_DELETE,
	.path    = "/api/products/{id}/reviews/{review_id}",
	.summary = "Take a review back",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.purges  = "products reviews",
	.input   = FIELDS(
		PATH(id,        ID, "The product", .example = "1"),
		PATH(review_id, ID, "The review", .example = "1")),
	.output  = FIELDS(
		OUT(message, STR, "What happened")),
};

static struct status
delete_review(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *removed = db_one(rq, &remove_review, in->id, in->review_id,
	    req_user(rq), req_is(rq, ACCESS_ADMIN) ? "true" : "false");

	if (removed == NULL)
		return fail(rq, ERR_NOT_FOUND);
	if (row_bool(removed, "of_another"))
		audit(rq, "review.deleted", fmt(rq, "review:%s", in->review_id), NULL, NULL);
	return reply_message(rq, 200, "Review deleted");
}
