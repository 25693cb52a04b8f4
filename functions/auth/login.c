/*
 * POST /api/auth/login
 *
 * An unknown address and a wrong password get the same answer after the same
 * work.  Failed tries are counted by client address and e-mail together, and
 * counted before the password is looked at, so that many at once are not more
 * tries.
 */
#include "fn.h"

#include "hashing.h"
#include "json.h"
#include "token.h"
#include "user_shape.h"

struct input {
	const char *email;
	const char *password;
};

SETTING_INT(limit_failed, "RATE_LIMIT_AUTH_FAILED", 5, 0, 1000000,
    "Failed sign-ins in 15 minutes by one address for one e-mail; 0 is no limit");

QUERY(find_account,
	"SELECT id, email, role, password_hash, is_active, users.user_json(a) AS account"
	"  FROM users.account a WHERE lower(email) = $1");

QUERY(rehash,
	"UPDATE users.account SET password_hash = $2 WHERE id = $1");

QUERY(open_session,
	"SELECT users.session_open($1, $2, $3, $4) AS id");

ENDPOINT(login) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/login",
	.summary = "Sign in",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_AUTH,
	/* No transaction is open while the password is hashed. */
	.commit  = COMMIT_EACH,
	.input   = FIELDS(
		BODY(email,      EMAIL, "The account's address", .required = true,
		    .example = "\"customer@souk.example\""),
		BODY(password,   STR,   "Its password", .required = true,
		    .bytes = true, .min = 1, .max = 1024, .example = "\"souk-customer\"")),
	.output  = FIELDS(
		OUT_OBJECT(user, user_shape, "Who has signed in"),
		OUT(accessToken,  STR,  "Bearer token for the next 15 minutes"),
		OUT(refreshToken, STR,  "Spend it once, for new tokens, within 7 days"),
		OUT(tokenType,    STR,  "Always Bearer", .example = "\"Bearer\""),
		OUT(expiresIn,    INT,  "Seconds the access token lives", .example = "900")),
	.errors  = ERRORS(ERR_INVALID_CREDENTIALS),
};

/* Address and e-mail: one guesser locks out nobody else. */
static const char *
tries_key(struct req *rq, const char *email)
{
	return fmt(rq, "failed:%s:%s", req_address(rq), email);
}

static struct status
login(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *key = tries_key(rq, in->email), *refresh, *id;
	bool counted = limit_failed.number > 0;
	const struct row *account, *session;
	struct json *answer;

	if (counted && redis_count(rq, key, 900) > limit_failed.number) {
		reply_header(rq, "Retry-After", "900");
		return fail_text(rq, ERR_RATE_LIMITED, "Too many failed sign-ins; wait a little");
	}
	account = db_one(rq, &find_account, in->email);
	if (!hash_matches(rq, in->password, row_text(account, "password_hash")) ||
	    !row_bool(account, "is_active"))
		return fail(rq, ERR_INVALID_CREDENTIALS);
	if (counted)
		redis_forget(rq, key);

	id = row_text(account, "id");
	if (hash_is_dated(row_text(account, "password_hash")))
		db_run(rq, &rehash, id, hash_new_password(rq, in->password));
	refresh = token_refresh(rq);
	session = db_one(rq, &open_session, id, token_stored(rq, refresh),
	    req_address(rq), text(rq, REFRESH_TTL_S));
	if (session == NULL)
		return fail(rq, ERR_UNAVAILABLE);
	answer = json_new(rq);
	json_open(answer, '{');
	json_key(answer, "user");
	json_raw(answer, row_text(account, "account"));
	token_members(answer, token_access(rq, id, row_text(account, "email"),
	    row_text(account, "role"), row_text(session, "id")), refresh);
	return reply_json(rq, 200, json_text(answer));
}
