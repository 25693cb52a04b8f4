/*
 * POST /api/auth/logout-all
 *
 * Ends every session of the caller, this one too.
 */
#include "fn.h"

#include "sessions.h"

QUERY(end_all,
	"SELECT users.logout_all($1, ROW($1, $2, $3)::ops.caller) AS session");

ENDPOINT(logout_all) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/logout-all",
	.summary = "Sign out everywhere",
	.access  = ACCESS_USER,
	.rate    = RATE_AUTH,
	.repeatable = "Who is signed out stays so",
	.output  = FIELDS(
		OUT(message, STR, "What happened", .example = "\"Signed out everywhere\"")),
};

static struct status
logout_all(struct req *rq)
{
	sessions_end(rq, db_all(rq, &end_all, req_user(rq), req_address(rq), req_id(rq)));
	return reply_message(rq, 200, "Signed out everywhere");
}
