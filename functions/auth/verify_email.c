/*
 * POST /api/auth/verify-email
 *
 * Confirms the address that a token was mailed to.  The same token again is no
 * error: mail programs look at links before their users do.
 */
#include "fn.h"

#include "opaque.h"

struct input {
	const char *token;
};

QUERY(verify,
	"SELECT users.email_verify($1) AS outcome");

ENDPOINT(verify_email) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/verify-email",
	.summary = "Confirm an e-mail address",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_AUTH,
	.repeatable = "What is confirmed stays so",
	.input   = FIELDS(
		BODY(token, STR, "The code of the mail", .required = true,
		    .min = 1, .max = 200, .example = "\"c2FmZnJvbiBhbmQgbWludCBhbmQgY3VtaW4gYW5kIHM\"")),
	.output  = FIELDS(
		OUT(message, STR, "What happened", .example = "\"E-mail address confirmed\"")),
	.errors  = ERRORS(ERR_INVALID_TOKEN),
};

static struct status
verify_email(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *r = db_one(rq, &verify, token_stored(rq, in->token));

	if (!one_of(row_text(r, "outcome"), "verified", "already"))
		return fail(rq, ERR_INVALID_TOKEN);
	return reply_message(rq, 200, "E-mail address confirmed");
}
