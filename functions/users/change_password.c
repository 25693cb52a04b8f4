/*
 * POST /api/users/change-password
 *
 * Whoever knows the current password may set another.  Every other session of
 * the user ends: one of them may be why the password is changed.
 */
#include "fn.h"

#include "hashing.h"
#include "new_password.h"
#include "sessions.h"
#include "tries.h"

struct input {
	const char *current_password;
	const char *new_password;
};

QUERY(find_account,
	"SELECT email, password_hash FROM users.account WHERE id = $1");

QUERY(set_password,
	"SELECT users.password_set($1, $2, $3, $4, 'user.password_changed',"
	"   ROW($1, $5, $6)::ops.caller) AS session");

ENDPOINT(change_password) = {
	.method  = HTTP_POST,
	.path    = "/api/users/change-password",
	.summary = "Change one's own password",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	/* No transaction is open while passwords are hashed. */
	.commit  = COMMIT_EACH,
	.repeatable = "Once changed, the current password is another",
	.input   = FIELDS(
		OLD_PASSWORD(current_password, "currentPassword", "The password until now"),
		NEW_PASSWORD(new_password, "newPassword")),
	.output  = FIELDS(
		OUT(message, STR, "What happened", .example = "\"Password changed\"")),
	.errors  = ERRORS(ERR_INVALID_CREDENTIALS),
};

static struct status
change_password(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *account;
	const char *known, *hash;

	if (!new_password_is_acceptable(rq, "newPassword", in->new_password))
		return fail(rq, ERR_INVALID_INPUT);
	account = db_one(rq, &find_account, req_user(rq));
	known = row_text(account, "password_hash");
	if (!tries_allow(rq, row_text(account, "email"), true))
		return fail(rq, ERR_RATE_LIMITED);
	if (!hash_matches(rq, in->current_password, known))
		return fail_text(rq, ERR_INVALID_CREDENTIALS, "The current password is wrong");
	tries_clear(rq, row_text(account, "email"));
	hash = hash_new_password(rq, in->new_password);
	db_together(rq);
	sessions_end(rq, db_all(rq, &set_password, req_user(rq), known, hash, req_session(rq),
	    req_address(rq), req_id(rq)));
	return reply_message(rq, 200, "Password changed");
}
