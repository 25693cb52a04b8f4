/*
 * DELETE /api/users/profile
 *
 * Erases the caller: e-mail, names, addresses and notes go wherever they are
 * kept, and the e-mail is free for a new account.  Orders, payments and the
 * audit log stay, of somebody who is only a number.  There is no way back.
 */
#include "fn.h"

#include "hashing.h"
#include "new_password.h"
#include "sessions.h"
#include "tries.h"

struct input {
	const char *password;
};

QUERY(find_account,
	"SELECT email, password_hash FROM users.account WHERE id = $1");

QUERY(erase,
	"SELECT users.account_erase($1, $2, ROW($1, NULL, $3)::ops.caller) AS session");

ENDPOINT(erase_account) = {
	.method  = HTTP_DELETE,
	.path    = "/api/users/profile",
	.summary = "Erase one's own account",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	/* No transaction is open while the password is hashed. */
	.commit  = COMMIT_EACH,
	/* What an erased seller sold is for sale no more, and what somebody
	 * erased thought of others' goods is not told. */
	.purges  = "products reviews",
	.input   = FIELDS(
		OLD_PASSWORD(password, "password", "The account's, to be sure")),
	.output  = FIELDS(
		OUT(message, STR, "What happened", .example = "\"Account erased\"")),
	.errors  = ERRORS(ERR_INVALID_CREDENTIALS, ERR_LAST_ADMIN),
};

static struct status
erase_account(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *account = db_one(rq, &find_account, req_user(rq));
	const char *known = row_text(account, "password_hash");

	if (!tries_allow(rq, row_text(account, "email"), true))
		return fail(rq, ERR_RATE_LIMITED);
	if (!hash_matches(rq, in->password, known))
		return fail_text(rq, ERR_INVALID_CREDENTIALS, "The password is wrong");
	tries_clear(rq, row_text(account, "email"));
	db_together(rq);
	sessions_end(rq, db_all(rq, &erase, req_user(rq), known, req_id(rq)));
	return reply_message(rq, 200, "Account erased");
}
