/*
 * POST /api/auth/forgot-password
 *
 * Mails a token to set a new password with.  Whether there is such an account
 * is looked up only when the mail is made (mail.reset_password() in
 * schema/006_jobs.sql): here the answer, and the work done for it, are the
 * same for any address.
 */
#include "fn.h"

struct input {
	const char *email;
};

QUERY(ask_token,
	"SELECT ops.job_add('mail', jsonb_build_object("
	"   'template', 'reset_password', 'email', $1::text))");

ENDPOINT(forgot_password) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/forgot-password",
	.summary = "Be mailed a token to set a new password with",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_AUTH,
	.idempotent = true,
	.success = 202,
	.input   = FIELDS(
		BODY(email, EMAIL, "The account's address", .required = true,
		    .example = "\"customer@souk.example\"")),
	.output  = FIELDS(
		OUT(message, STR, "What will happen")),
};

static struct status
forgot_password(struct req *rq)
{
	const struct input *in = req_input(rq);

	db_run(rq, &ask_token, in->email);
	return reply_message(rq, 202, "If there is an account with this address, a mail is on its way");
}
