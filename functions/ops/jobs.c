/*
 * GET /api/admin/jobs
 *
 * Jobs, the latest first: what is to be done, what was given up.
 */
#include "fn.h"

#include "job_shape.h"
#include "paging.h"

struct input {
	PAGING_MEMBERS;
	const char *state, *kind;
	int64_t min_age, min_overdue;
};

/* Most jobs are done.  The others are found by indexes that hold only them, if
 * the statement says so by itself. */
#define JOBS(those) PAGED_QUERY("jobs",					\
	" SELECT j.id FROM ops.job j"					\
	"  WHERE " those						\
	"    AND ($5::text IS NULL OR j.state = $5)"			\
	"    AND ($6::text IS NULL OR j.kind = $6)"			\
	"    AND j.created_at <= now() - make_interval(secs => $7::bigint)" \
	"    AND ($8::bigint < 0 OR j.run_at <= now() - make_interval(secs => $8::bigint))", \
	"(SELECT ops.job_json(j) FROM ops.job j WHERE j.id = g.id)")

QUERY(any_jobs, JOBS("true"));
QUERY(open_jobs, JOBS("(j.run_at IS NOT NULL OR j.state = 'dead')"));

ENDPOINT(list_jobs) = {
	.method  = HTTP_GET,
	.path    = "/api/admin/jobs",
	.summary = "Jobs, latest first",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PAGING_FIELDS,
		PARAM(state, CHOICE, "Only those that stand so", .choices = JOB_STATES,
		    .example = "\"dead\""),
		PARAM(kind,  STR,    "Only these", .min = 1, .max = 60, .example = "\"mail\""),
		PARAM_AS(min_age, "minAge", INT, "Only those added so many seconds ago or more",
		    .min = 0, .max = 1000000000),
		PARAM_AS(min_overdue, "minOverdue", INT,
		    "Only those that have been due for so many seconds or more",
		    .min = 0, .max = 1000000000, .preset = -1)),
	.output  = FIELDS(
		OUT_OBJECT(jobs, job_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static struct status
list_jobs(struct req *rq)
{
	const struct input *in = req_input(rq);
	bool ended = in->state == NULL ? in->min_overdue < 0
	    : one_of(in->state, "done", "cancelled");

	req_user(rq);	/* admins' only */
	return reply_row(rq, 200, db_one(rq, ended ? &any_jobs : &open_jobs,
	    PAGING_ARGUMENTS(rq, in), in->state, in->kind, text(rq, in->min_age),
	    text(rq, in->min_overdue)));
}
