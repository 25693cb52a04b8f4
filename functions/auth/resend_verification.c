/*
 * POST /api/auth/resend-verification
 *
 * Mails the caller another token to confirm their address with, unless it is
 * confirmed or they have had enough such mails in this hour: the mail finds
 * out when it is made (mail.verify_email() in schema/006_jobs.sql).
 */
#include "fn.h"

QUERY(ask_again,
	"SELECT ops.job_add('mail', jsonb_build_object("
	"   'template', 'verify_email', 'user', $1::bigint))");

ENDPOINT(resend_verification) = {
	.method  = HTTP_POST,
	.path    = "/api/auth/resend-verification",
	.summary = "Be mailed another token to confirm one's address",
	.access  = ACCESS_USER,
	.rate    = RATE_AUTH,
	.idempotent = true,
	.success = 202,
	.output  = FIELDS(
		OUT(message, STR, "What will happen")),
};

static struct status
resend_verification(struct req *rq)
{
	db_run(rq, &ask_again, req_user(rq));
	return reply_message(rq, 202, "If your address is not confirmed yet, a mail is on its way");
}
