/*
 * POST /api/auth/reset-password
 *
 * Sets a new password with a mailed token, once, and ends every session.  What
 * is wrong with a token is not told.
 */
#include "fn.h"

#include "common_passwords.h"
#include "hashing.h"
#include "opaque.h"
#include "sessions.h"

struct input {
	const char *token;
	const char *password;
};

QUERY(find_token,
	"SELECT users.reset_token_user($1) AS id");

/* The token is spent, the password set, the sessions ended and the owner told
 * in one commit. */
QUERY(set_password,
	"WITH spent AS MATERIALIZED (SELECT users.reset_token_spend($1) AS id),"
	" changed AS ("
	"   UPDATE users.account a SET password_hash = $2, updated_at = now()"
	"     FROM spent WHERE a.id = spent.id RETURNING a.id),"
	" ended AS ("
	"   UPDATE users.session s SET revoked_at = now()"
	"     FROM changed WHERE s.user_id = changed.id AND s.revoked_at IS NULL"
	"   RETURNING s.id),"
	" told AS MATERIALIZED ("
	"   SELECT ops.job_add('mail', jsonb_build_object("
	"     'template', 'password_changed', 'user', id)) FROM changed)"
	" SELECT ended.id AS session FROM told LEFT JOIN ended ON true");

ENDPOINT(reset_password) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/reset-password",
	.summary = "Set a new password with a mailed token",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_AUTH,
	/* No transaction is open while the password is hashed. */
	.commit  = COMMIT_EACH,
	.repeatable = "A token sets a password once",
	.input   = FIELDS(
		BODY(token,    STR, "The code of the mail", .required = true,
		    .min = 1, .max = 200, .example = "\"c2FmZnJvbiBhbmQgbWludCBhbmQgY3VtaW4gYW5kIHM\""),
		BODY(password, STR, "The new one: 8 to 72 bytes, any characters", .required = true,
		    .bytes = true, .min = 8, .max = 72, .example = "\"saffron and mint\"")),
	.output  = FIELDS(
		OUT(message, STR, "What happened", .example = "\"Password changed; sign in with the new one\"")),
	.errors  = ERRORS(ERR_INVALID_TOKEN),
};

static struct status
reset_password(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *token = token_stored(rq, in->token);
	const struct rows *changed;

	if (password_is_common(in->password))
		return fail_field(rq, "password", "too_common",
		    "Is one of the passwords that are guessed first");
	/* Nobody without a good token has anything hashed. */
	if (row_text(db_one(rq, &find_token, token), "id") == NULL)
		return fail(rq, ERR_INVALID_TOKEN);
	changed = db_all(rq, &set_password, token, hash_new_password(rq, in->password));
	if (rows_count(changed) == 0)
		return fail(rq, ERR_INVALID_TOKEN);
	for (size_t i = 0; i < rows_count(changed); i++)
		session_was_revoked(rq, row_text(rows_at(changed, i), "session"));
	return reply_message(rq, 200, "Password changed; sign in with the new one");
}
