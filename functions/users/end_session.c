/*
 * DELETE /api/users/sessions/{id}
 *
 * Ends one of the caller's sessions; this one is a sign-out.
 */
#include "fn.h"

#include "sessions.h"

struct input {
	const char *id;
};

/* As text: what is no id is nobody's session. */
QUERY(end_one,
	"UPDATE users.session SET revoked_at = now()"
	" WHERE user_id = $1 AND id::text = $2 AND revoked_at IS NULL AND expires_at > now()"
	" RETURNING id AS session");

ENDPOINT(end_session) = {
	.method  = HTTP_DELETE,
	.path    = "/api/users/sessions/{id}",
	.summary = "Sign out elsewhere",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id, STR, "The session", .min = 36, .max = 36,
		    .example = "\"0f8fad5b-d9cb-469f-a165-70867728950e\"")),
	.output  = FIELDS(
		OUT(message, STR, "What happened", .example = "\"Session ended\"")),
	.errors  = ERRORS(ERR_NOT_FOUND),
};

static struct status
end_session(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct rows *ended = db_all(rq, &end_one, req_user(rq), in->id);

	if (rows_count(ended) == 0)
		return fail(rq, ERR_NOT_FOUND);
	sessions_end(rq, ended);
	return reply_message(rq, 200, "Session ended");
}
