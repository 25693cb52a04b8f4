/*
 * PUT /api/users/profile
 *
 * Changes the caller's name.  A field that is not sent stays; null clears it.
 */
#include "fn.h"

#include "json.h"
#include "user_shape.h"

struct input {
	const char *first_name;
	const char *last_name;
};

QUERY(update,
	"UPDATE users.account AS a SET updated_at = now(),"
	"       first_name = CASE WHEN $2::boolean THEN $3 ELSE first_name END,"
	"       last_name = CASE WHEN $4::boolean THEN $5 ELSE last_name END"
	" WHERE id = $1 RETURNING users.user_json(a) AS account");

ENDPOINT(update_profile) = {
	.method  = HTTP_PUT,
	.path    = "/api/users/profile",
	.summary = "Change one's own name",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		BODY(first_name, STR, "First name", .min = 1, .max = 100, .example = "\"Amina\""),
		BODY(last_name,  STR, "Last name", .min = 1, .max = 100, .example = "\"Idrissi\"")),
	.output  = FIELDS(
		OUT(message,     STR, "What happened"),
		OUT_OBJECT(user, user_shape, "The account now")),
};

static struct status
update_profile(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *updated = db_one(rq, &update, req_user(rq),
	    req_has(rq, in, first_name) ? "true" : "false", in->first_name,
	    req_has(rq, in, last_name) ? "true" : "false", in->last_name);
	struct json *answer = json_new(rq);

	if (updated == NULL)
		return fail(rq, ERR_NOT_FOUND);
	json_open(answer, '{');
	json_member(answer, "message", "Profile updated");
	json_key(answer, "user");
	json_raw(answer, row_text(updated, "account"));
	return reply_json(rq, 200, json_text(answer));
}
