/*
 * POST /api/auth/refresh
 *
 * Spends a refresh token for new tokens.  One that was spent before means that
 * two parties hold the family: all of it is revoked.  Only a client that lost
 * the answer, and asks again within ten seconds, gets the same successor.
 */
#include "fn.h"

#include "json.h"
#include "sessions.h"
#include "token.h"

enum { GRACE_S = 10 };

struct input {
	const char *refresh_token;
};

QUERY(rotate,
	"SELECT outcome, session_id AS session, (account).id, (account).email, (account).role"
	"  FROM users.refresh_rotate($1, $2, $3, $4)");

ENDPOINT(refresh) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/refresh",
	.summary = "Exchange a refresh token for new tokens",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_AUTH,
	/* A revoked family stays revoked though the answer is 401. */
	.commit  = COMMIT_EACH,
	.repeatable = "For ten seconds the same successor is given out again",
	.input   = FIELDS(
		BODY_AS(refresh_token, "refreshToken", STR, "The last one received",
		    .required = true, .min = 1, .max = 200)),
	.output  = FIELDS(
		OUT(accessToken,  STR,  "Bearer token for the next 15 minutes",
		    .example = "\"eyJhbGciOiJFUzI1NiIsImtpZCI6IjIwMjYifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl\""),
		OUT(refreshToken, STR,  "Takes the place of the one spent",
		    .example = "\"q7Zl0m1Q3c0nYxJ5oE2vWb8TtRk4uHs6GdFpAaLiNyM\""),
		OUT(tokenType,    STR,  "Always Bearer", .example = "\"Bearer\""),
		OUT(expiresIn,    INT,  "Seconds the access token lives", .example = "900")),
	.errors  = ERRORS(ERR_INVALID_REFRESH_TOKEN),
};

static struct status
refresh(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *successor = token_successor(rq, in->refresh_token);
	const struct rows *rotated = db_all(rq, &rotate, token_stored(rq, in->refresh_token),
	    token_stored(rq, successor), text(rq, REFRESH_TTL_S), text(rq, GRACE_S));
	const struct row *r = rows_at(rotated, 0);
	const char *outcome = row_text(r, "outcome");
	struct json *answer;

	req_is_about(rq, row_text(r, "id"));
	if (!one_of(outcome, "rotated", "repeated")) {
		if (one_of(outcome, "reused"))
			sessions_end(rq, rotated);
		return fail(rq, ERR_INVALID_REFRESH_TOKEN);
	}
	answer = json_new(rq);
	json_open(answer, '{');
	token_members(answer, token_access(rq, row_text(r, "id"), row_text(r, "email"),
	    row_text(r, "role"), row_text(r, "session")), successor);
	return reply_json(rq, 200, json_text(answer));
}
