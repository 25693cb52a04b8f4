/*
 * POST /api/auth/reset-password
 *
 * Sets a new password with a mailed token, once, and ends every session.  What
 * is wrong with a token is not told.
 */
#include "fn.h"

#include "hashing.h"
#include "new_password.h"
#include "opaque.h"
#include "sessions.h"
#include "tries.h"

struct input {
	const char *token;
	const char *password;
};

QUERY(find_token,
	"SELECT users.reset_token_user($1) AS id");

/* The token is spent, the password set, the sessions ended and the owner told
 * in one commit. */
QUERY(set_password,
	"SELECT email, session"
	"  FROM users.password_reset($1, $2, ROW(NULL, $3, $4)::ops.caller)");

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
		NEW_PASSWORD(password, "password")),
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
	const char *hash;

	if (!new_password_is_acceptable(rq, "password", in->password))
		return fail(rq, ERR_INVALID_INPUT);
	/* Nobody without a good token has anything hashed. */
	if (row_text(db_one(rq, &find_token, token), "id") == NULL)
		return fail(rq, ERR_INVALID_TOKEN);
	hash = hash_new_password(rq, in->password);
	db_together(rq);
	changed = db_all(rq, &set_password, token, hash, req_address(rq), req_id(rq));
	if (changed == NULL)
		return fail(rq, ERR_INVALID_TOKEN);
	sessions_end(rq, changed);
	/* Whoever guessed until now has not guessed this one. */
	tries_clear(rq, row_text(rows_at(changed, 0), "email"));
	return reply_message(rq, 200, "Password changed; sign in with the new one");
}
