/*
 * GET /api/users/sessions
 *
 * Where the caller is signed in, the last used first; the latest hundred.
 */
#include "fn.h"

QUERY(list,
	"SELECT json_build_object('sessions', coalesce(json_agg(json_build_object("
	"   'id', s.id, 'created_at', ops.wire_time(s.created_at),"
	"   'last_used_at', ops.wire_time(s.last_used_at), 'address', s.address,"
	"   'user_agent', s.user_agent, 'current', s.id = $2)"
	"   ORDER BY s.id = $2 DESC, s.last_used_at DESC), '[]'))"
	"  FROM (SELECT s.*, CASE WHEN s.id = $2 THEN now()"
	"               ELSE coalesce(s.used_at, s.created_at) END AS last_used_at"
	"          FROM users.session s"
	"         WHERE s.user_id = $1 AND s.revoked_at IS NULL AND s.expires_at > now()"
	"         ORDER BY s.id = $2 DESC, last_used_at DESC LIMIT 100) s");

static const struct shape session_shape = {
	.name = "Session",
	.doc = "One sign-in",
	.fields = FIELDS(
		OUT(id,           STR,  "The session",
		    .example = "\"0f8fad5b-d9cb-469f-a165-70867728950e\""),
		OUT(created_at,   TIME, "When it began"),
		OUT(last_used_at, TIME, "When it was last used, give or take five minutes"),
		OUT(address,      STR,  "The address it began from", .nullable = true,
		    .example = "\"203.0.113.7\""),
		OUT(user_agent,   STR,  "The program it began with", .nullable = true,
		    .example = "\"Mozilla/5.0 (X11; Linux x86_64)\""),
		OUT(current,      BOOL, "Whether it is the one that asks", .example = "true")),
};

ENDPOINT(list_sessions) = {
	.method  = HTTP_GET,
	.path    = "/api/users/sessions",
	.summary = "Where one is signed in",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.output  = FIELDS(
		OUT_OBJECT(sessions, session_shape, "Those that live", .many = true)),
};

static struct status
list_sessions(struct req *rq)
{
	return reply_row(rq, 200, db_one(rq, &list, req_user(rq), req_session(rq)));
}
