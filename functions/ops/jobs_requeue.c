/*
 * POST /api/admin/jobs/requeue
 *
 * Has all dead jobs of a kind run again, once what killed them is mended: the
 * oldest first, a thousand at a time.
 */
#include "fn.h"

#include "operator_act.h"

struct input {
	const char *kind, *reason;
};

QUERY(requeue,
	"SELECT ops.operator_requeues_jobs($1, $2) AS n");

ENDPOINT(requeue_jobs) = {
	.method  = HTTP_POST,
	.path    = "/api/admin/jobs/requeue",
	.summary = "Run all dead jobs of a kind again",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.idempotent = true,
	.input   = FIELDS(
		BODY(kind, STR, "Which", .required = true, .min = 1, .max = 60,
		    .example = "\"mail\""),
		REASON_FIELD),
	.output  = FIELDS(
		REQUEUED_FIELDS),
};

static struct status
requeue_jobs(struct req *rq)
{
	const struct input *in = req_input(rq);
	int64_t n = row_int(db_one(rq, &requeue, in->kind, text(rq, REQUEUE_MOST)), "n");

	return operator_requeue_reply(rq, "jobs", "kind", in->kind, in->reason, n);
}
