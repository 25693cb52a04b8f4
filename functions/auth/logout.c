/*
 * POST /api/auth/logout
 *
 * Ends the session a refresh token belongs to; its access tokens are refused
 * from then on.  Signing out twice, or with a token nobody knows, is no error:
 * the caller wants to be signed out, and is.
 */
#include "fn.h"

#include "opaque.h"
#include "sessions.h"

struct input {
	const char *refresh_token;
};

QUERY(revoke,
	"UPDATE users.session s SET revoked_at = coalesce(s.revoked_at, now())"
	"  FROM users.refresh_token t"
	" WHERE t.hash = $1 AND s.id = t.session_id"
	" RETURNING s.id AS session");

ENDPOINT(logout) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/logout",
	.summary = "Sign out",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_AUTH,
	.repeatable = "What is signed out stays so",
	.input   = FIELDS(
		BODY_AS(refresh_token, "refreshToken", STR, "Any of the session's",
		    .required = true, .min = 1, .max = 200)),
	.output  = FIELDS(
		OUT(message, STR, "What happened", .example = "\"Signed out\"")),
};

static struct status
logout(struct req *rq)
{
	const struct input *in = req_input(rq);

	sessions_end(rq, db_all(rq, &revoke, token_stored(rq, in->refresh_token)));
	return reply_message(rq, 200, "Signed out");
}
