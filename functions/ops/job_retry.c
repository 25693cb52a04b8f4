/*
 * POST /api/admin/jobs/{id}/retry
 *
 * Has a dead job, or one that waits, run now, with all its tries before it.
 */
#include "fn.h"

#include "job_shape.h"
#include "operator_act.h"

struct input {
	const char *id, *reason;
};

QUERY(retry,
	"SELECT job, before, after FROM ops.operator_retries_job($1)");

ENDPOINT(retry_job) = {
	.method  = HTTP_POST,
	.path    = "/api/admin/jobs/{id}/retry",
	.summary = "Run a job again",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.idempotent = true,
	.input   = FIELDS(
		PATH(id, ID, "The job", .example = "1"),
		REASON_FIELD),
	.answer  = &job_shape,
	.errors  = ERRORS(ERR_JOB_FINISHED, ERR_JOB_RUNNING),
};

static struct status
retry_job(struct req *rq)
{
	const struct input *in = req_input(rq);

	return operator_act_reply(rq, "job", "retry", in->id, in->reason,
	    db_one(rq, &retry, in->id));
}
