/*
 * GET /api/users/profile
 *
 * Who the caller is.
 */
#include "fn.h"

#include "user_shape.h"

QUERY(find,
	"SELECT users.user_json(a) FROM users.account a WHERE id = $1");

ENDPOINT(get_profile) = {
	.method  = HTTP_GET,
	.path    = "/api/users/profile",
	.summary = "One's own account",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.answer  = &user_shape,
};

static struct status
get_profile(struct req *rq)
{
	return reply_row(rq, 200, db_one(rq, &find, req_user(rq)));
}
