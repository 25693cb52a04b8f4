#include "review_shape.h"

const struct shape review_shape = {
	.name = "Review",
	.doc = "What somebody thinks of a product",
	.fields = FIELDS(
		OUT(id,         ID,   "The review", .example = "1"),
		OUT(product_id, ID,   "Of what", .example = "1"),
		OUT(user_id,    ID,   "By whom", .example = "2"),
		OUT(rating,     INT,  "From 1 to 5", .example = "5"),
		OUT(title,      STR,  "In a few words", .nullable = true,
		    .example = "\"Just like home\""),
		OUT(comment,    STR,  "In many", .nullable = true),
		OUT(is_verified_purchase, BOOL, "Whether they had paid for one when they wrote it"),
		OUT(is_hidden,  BOOL, "Whether an admin took it out of sight", .example = "false"),
		OUT(created_at, TIME, "When it was written"),
		OUT(updated_at, TIME, "When it last changed")),
};

QUERY(find,
	"SELECT row_to_json(r) FROM catalog.review_wire r WHERE id = $1");

struct status
review_reply(struct req *rq, int http_status, const char *id)
{
	return reply_row(rq, http_status, db_one(rq, &find, id));
}
