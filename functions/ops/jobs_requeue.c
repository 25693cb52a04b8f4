/*
 * POST /api/admin/jobs/requeue
 *
 * Has all dead jobs of a kind run again, once what killed them is mended: the
 * oldest first, a thousand at a time.
 */
#include "fn.h"

#include "audit.h"
#include "job_shape.h"
#include "json.h"

struct input {
	const char *kind, *reason;
};

enum { MOST = 1000 };		/* at a time: locks are held until all are done */

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
		OUT(requeued, INT,  "How many will run again", .example = "3"),
		OUT(more,     BOOL, "Whether there may be more: ask again", .example = "false")),
};

static struct status
requeue_jobs(struct req *rq)
{
	const struct input *in = req_input(rq);
	int64_t n = row_int(db_one(rq, &requeue, in->kind, text(rq, MOST)), "n");
	struct json *answer = json_new(rq), *after = json_new(rq);

	json_open(after, '{');
	json_member(after, "kind", in->kind);
	json_key(after, "requeued");
	json_int(after, n);
	json_member(after, "reason", in->reason);
	audit(rq, "jobs.requeue", "jobs", NULL, json_text(after));

	json_open(answer, '{');
	json_key(answer, "requeued");
	json_int(answer, n);
	json_key(answer, "more");
	json_bool(answer, n == MOST);
	return reply_json(rq, 200, json_text(answer));
}
