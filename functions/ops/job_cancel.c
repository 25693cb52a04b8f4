/*
 * POST /api/admin/jobs/{id}/cancel
 *
 * Gives a job up that is dead or waits.  It keeps its place, so that nobody
 * adds it again by its dedupe key, and goes as those go that are done.
 */
#include "fn.h"

#include "job_shape.h"
#include "operator_act.h"

struct input {
	const char *id, *reason;
};

QUERY(cancel,
	"SELECT job, before, after FROM ops.operator_cancels_job($1)");

ENDPOINT(cancel_job) = {
	.method  = HTTP_POST,
	.path    = "/api/admin/jobs/{id}/cancel",
	.summary = "Give a job up",
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
cancel_job(struct req *rq)
{
	const struct input *in = req_input(rq);

	return operator_act_reply(rq, "job", "cancel", in->id, in->reason,
	    db_one(rq, &cancel, in->id));
}
