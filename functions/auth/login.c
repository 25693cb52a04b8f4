/*
 * POST /api/auth/login
 *
 * An unknown address and a wrong password get the same answer after the same
 * work.  How often may be guessed is shared/tries.h's.
 */
#include "fn.h"

#include "hashing.h"
#include "json.h"
#include "sessions.h"
#include "token.h"
#include "tries.h"
#include "user_shape.h"

struct input {
	const char *email;
	const char *password;
};

QUERY(find_account,
	"SELECT id, email, role, password_hash, is_active, users.user_json(a) AS account,"
	"       EXISTS (SELECT FROM users.session s WHERE s.user_id = a.id AND"
	"         CASE WHEN $2::text LIKE '%/64' AND s.address LIKE '%:%'"
	"              THEN s.address::inet <<= $2::text::inet"
	"              ELSE s.address = $2 END) AS is_at_home"
	"  FROM users.account a WHERE lower(email) = $1");

QUERY(rehash,
	"UPDATE users.account SET password_hash = $3"
	" WHERE id = $1 AND password_hash = $2 RETURNING password_hash");

QUERY(open_session,
	"SELECT users.session_open($1, $2, $3, $4, $5, $6) AS id");

ENDPOINT(login) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/login",
	.summary = "Sign in",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_AUTH,
	/* No transaction is open while the password is hashed. */
	.commit  = COMMIT_EACH,
	.repeatable = "Each time opens a session of its own",
	.input   = FIELDS(
		BODY(email,      EMAIL, "The account's address", .required = true,
		    .example = "\"customer@souk.example\""),
		BODY(password,   STR,   "Its password", .required = true,
		    .bytes = true, .min = 1, .max = 1024, .example = "\"a-customer-of-the-souk\"")),
	.output  = FIELDS(
		OUT_OBJECT(user, user_shape, "Who has signed in"),
		OUT(accessToken,  STR,  "Bearer token for the next 15 minutes",
		    .example = "\"eyJhbGciOiJFUzI1NiIsImtpZCI6IjIwMjYifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl\""),
		OUT(refreshToken, STR,  "Spend it once, for new tokens, within 7 days",
		    .example = "\"q7Zl0m1Q3c0nYxJ5oE2vWb8TtRk4uHs6GdFpAaLiNyM\""),
		OUT(tokenType,    STR,  "Always Bearer", .example = "\"Bearer\""),
		OUT(expiresIn,    INT,  "Seconds the access token lives", .example = "900")),
	.errors  = ERRORS(ERR_INVALID_CREDENTIALS),
};

static struct status
login(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *refresh, *id, *hash;
	const struct row *account, *session;
	struct json *answer;

	account = db_one(rq, &find_account, in->email, limit_here(rq, NULL));
	req_is_about(rq, row_text(account, "id"));
	if (!tries_allow(rq, in->email, row_bool(account, "is_at_home")))
		return fail(rq, ERR_RATE_LIMITED);
	hash = row_text(account, "password_hash");
	if (!hash_matches(rq, in->password, hash) || !row_bool(account, "is_active"))
		return fail(rq, ERR_INVALID_CREDENTIALS);
	tries_clear(rq, in->email);

	id = row_text(account, "id");
	if (hash_is_dated(hash))
		hash = row_text(db_one(rq, &rehash, id, hash,
		    hash_new_password(rq, in->password)), "password_hash");
	refresh = token_random(rq);
	session = hash == NULL ? NULL : db_one(rq, &open_session, id, token_stored(rq, refresh),
	    req_address(rq), text(rq, REFRESH_TTL_S), session_agent(rq), hash);
	/* The password was changed, or the account deactivated, since it was read. */
	if (row_text(session, "id") == NULL)
		return fail(rq, ERR_INVALID_CREDENTIALS);
	answer = json_new(rq);
	json_open(answer, '{');
	json_key(answer, "user");
	json_raw(answer, row_text(account, "account"));
	token_members(answer, token_access(rq, id, row_text(account, "email"),
	    row_text(account, "role"), row_text(session, "id")), refresh);
	return reply_json(rq, 200, json_text(answer));
}
