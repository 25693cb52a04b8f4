/*
 * POST /api/auth/register
 *
 * Makes an account for a customer or a seller.  Nobody makes an admin here.
 */
#include "fn.h"

#include "hashing.h"
#include "json.h"
#include "new_password.h"
#include "user_shape.h"

struct input {
	const char *email;
	const char *password;
	const char *first_name;
	const char *last_name;
	const char *role;
};

/* And the mail by which its owner confirms the address. */
QUERY(add_account,
	"WITH added AS ("
	"   INSERT INTO users.account AS a"
	"     (email, password_hash, first_name, last_name, role)"
	"   VALUES ($1, $2, $3, $4, coalesce($5, 'customer'))"
	"   ON CONFLICT (lower(email)) DO NOTHING"
	"   RETURNING a.id, users.user_json(a) AS account)"
	" SELECT account, ops.job_add('mail', jsonb_build_object("
	"          'template', 'verify_email', 'user', id)) FROM added");

ENDPOINT(register_account) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/register",
	.summary = "Make an account",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_AUTH,
	.idempotent = true,
	.success = 201,
	.input   = FIELDS(
		BODY(email,      EMAIL,  "The address to sign in with", .required = true,
		    .example = "\"amina@souk.example\""),
		NEW_PASSWORD(password, "password"),
		BODY(first_name, STR,    "First name", .min = 1, .max = 100, .example = "\"Amina\""),
		BODY(last_name,  STR,    "Last name", .min = 1, .max = 100, .example = "\"Idrissi\""),
		BODY(role,       CHOICE, "What the account is for; admin is refused",
		    .choices = CHOICES("customer", "seller", "admin"))),
	.output  = FIELDS(
		OUT(message,     STR,    "What happened"),
		OUT_OBJECT(user, user_shape, "The new account")),
	.errors  = ERRORS(ERR_EMAIL_TAKEN, ERR_FORBIDDEN),
};

static struct status
register_account(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *added;
	struct json *answer;

	if (one_of(in->role, "admin"))
		return fail_text(rq, ERR_FORBIDDEN, "Nobody can register as an admin");
	if (!new_password_is_acceptable(rq, "password", in->password))
		return fail(rq, ERR_INVALID_INPUT);
	added = db_one(rq, &add_account, in->email, hash_new_password(rq, in->password),
	    in->first_name, in->last_name, in->role);
	if (added == NULL)
		return fail(rq, ERR_EMAIL_TAKEN);
	answer = json_new(rq);
	json_open(answer, '{');
	json_member(answer, "message", "Welcome");
	json_key(answer, "user");
	json_raw(answer, row_text(added, "account"));
	return reply_json(rq, 201, json_text(answer));
}
