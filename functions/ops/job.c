/*
 * GET /api/admin/jobs/{id}
 *
 * A job with what it is to be done with.  No secret is in there (a mail's token
 * is made when it is sent), and what is called like one is not shown.
 */
#include "fn.h"

#include "job_shape.h"

struct input {
	const char *id;
};

QUERY(find,
	"SELECT json_build_object('job', ops.job_json(j), 'payload', ops.redacted(j.payload))"
	"  FROM ops.job j WHERE j.id = $1");

ENDPOINT(get_job) = {
	.method  = HTTP_GET,
	.path    = "/api/admin/jobs/{id}",
	.summary = "One job with its payload",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id, ID, "The job", .example = "1")),
	.output  = FIELDS(
		OUT_OBJECT(job, job_shape, "How it stands"),
		OUT(payload, JSON, "What it is done with; null when it has ended", .nullable = true,
		    .example = "{\"template\": \"password_changed\", \"user\": 7}")),
};

static struct status
get_job(struct req *rq)
{
	const struct input *in = req_input(rq);

	req_user(rq);	/* admins' only */
	return reply_row(rq, 200, db_one(rq, &find, in->id));
}
