/*
 * PUT /api/users/{id}
 *
 * An admin changes what another may do, or closes their account.  Whoever
 * loses or gains a role is signed out everywhere: their tokens say the old one.
 */
#include "fn.h"

#include "json.h"
#include "sessions.h"
#include "user_shape.h"

struct input {
	const char *id;
	const char *role;
	const char *is_active;
};

QUERY(update,
	"SELECT account, session"
	"  FROM users.account_update($1, $2, $3, ROW($4, $5, $6)::ops.caller)");

ENDPOINT(update_user) = {
	.method  = HTTP_PUT,
	.path    = "/api/users/{id}",
	.summary = "Change another's role, or close their account",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id,        ID,     "Whose", .example = "1"),
		BODY(role,      CHOICE, "What they may do",
		    .choices = CHOICES("customer", "seller", "admin"), .example = "\"seller\""),
		BODY(is_active, BOOL,   "False: they are signed out and cannot sign in",
		    .example = "true")),
	.output  = FIELDS(
		OUT(message,     STR,   "What happened"),
		OUT_OBJECT(user, user_shape, "The account now")),
	.errors  = ERRORS(ERR_NOT_FOUND, ERR_OWN_ACCOUNT),
};

static struct status
update_user(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct rows *updated = db_all(rq, &update, in->id, in->role, in->is_active,
	    req_user(rq), req_address(rq), req_id(rq));
	struct json *answer = json_new(rq);

	if (updated == NULL)
		return fail(rq, ERR_NOT_FOUND);
	sessions_end(rq, updated);
	json_open(answer, '{');
	json_member(answer, "message", "User updated");
	json_key(answer, "user");
	json_raw(answer, row_text(rows_at(updated, 0), "account"));
	return reply_json(rq, 200, json_text(answer));
}
