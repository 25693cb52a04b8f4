#include "jobs.h"
#include "json.h"
#include "lease.h"

#include <string.h>

COUNTER(jobs_done, "jobs_total", "outcome=\"done\"", "Jobs by what became of a try");
COUNTER(jobs_retried, "jobs_total", "outcome=\"retry\"", "Jobs by what became of a try");
COUNTER(jobs_dead, "jobs_total", "outcome=\"dead\"", "Jobs by what became of a try");
COUNTER(jobs_lost, "jobs_total", "outcome=\"lost\"", "Jobs by what became of a try");
HISTOGRAM(jobs_late, "job_late_seconds", "", "How long a job had been due when it was begun");
GAUGE(jobs_oldest, "jobs_oldest_due_seconds", "", "How long the longest waiting job has been due");

enum {
	SWEEP_US = 20000000,
	MOST_JOBS = 100,		/* of a sweep */
	MOST_KINDS = 32,
	FIRST_BACKOFF_MS = 2000,
	MAX_BACKOFF_MS = 20 * 60 * 1000
};

QUERY(claim,
	"SELECT id, kind, payload, epoch, attempt, late_us,"
	"       (extract(epoch FROM created_at) * 1000000)::bigint AS created_us"
	"  FROM ops.job_claim($1, 1, $2, $3)");
QUERY(job_is_done,
	"SELECT ops.job_done($1, $2) AS held");
QUERY(try_again,
	"SELECT ops.job_retry($1, $2, $3, $4) AS held");
QUERY(give_up,
	"SELECT ops.job_dead($1, $2, $3) AS held");
QUERY(oldest_due,
	"SELECT ops.job_oldest_due_ms() AS ms");

struct sweep {
	const struct job_kind *kinds;
	bool skipped[MOST_KINDS], used[MOST_KINDS];
	int done, retried, dead, lost;
};

/* Those still to be taken, as a Postgres array; NULL when there are none. */
static const char *
kinds_left(struct req *rq, const struct sweep *s)
{
	const char *list = NULL;

	for (size_t i = 0; s->kinds[i].name != NULL; i++)
		if (!s->skipped[i])
			list = list == NULL ? s->kinds[i].name :
			    fmt(rq, "%s,%s", list, s->kinds[i].name);
	return list == NULL ? NULL : fmt(rq, "{%s}", list);
}

static const struct job *
next_job(struct req *rq, const struct sweep *s)
{
	const char *kinds = kinds_left(rq, s);
	const struct row *row;
	struct job *job;

	if (kinds == NULL)
		return NULL;
	row = db_one(rq, &claim, kinds, lease_owner(rq), text(rq, JOB_LEASE_S));
	if (row == NULL)
		return NULL;
	metric_observe_us(&jobs_late, (uint64_t)row_int(row, "late_us"));
	job = mem(rq, sizeof(*job));
	*job = (struct job){
		.id = row_text(row, "id"), .kind = row_text(row, "kind"),
		.payload = row_text(row, "payload"), .epoch = row_text(row, "epoch"),
		.created_us = row_text(row, "created_us"), .attempt = row_int(row, "attempt"),
	};
	return job;
}

static size_t
kind_of(const struct sweep *s, const struct job *job)
{
	size_t i = 0;

	while (strcmp(s->kinds[i].name, job->kind) != 0)
		i++;
	return i;
}

/* The claim counts attempts, so that a job which kills its process ends too. */
static struct job_result
run_job(struct req *rq, const struct job_kind *kind, const struct job *job)
{
	struct job_result r;

	if (job->attempt > kind->attempts)
		return (struct job_result){ JOB_DEAD, "no try was ever reported on" };
	r = kind->run(rq, job);
	if (r.outcome != JOB_DONE && r.outcome != JOB_DEAD && job->attempt == kind->attempts)
		r.outcome = JOB_DEAD;
	return r;
}

/* What the database is told, and what it says: "done", "retry", "dead", or
 * "lost" where somebody else has the job by now. */
static const char *
report(struct req *rq, struct sweep *s, const struct job *job, struct job_result r)
{
	const struct row *told;

	if (r.outcome == JOB_DONE)
		told = db_one(rq, &job_is_done, job->id, job->epoch);
	else if (r.outcome == JOB_DEAD)
		told = db_one(rq, &give_up, job->id, job->epoch, r.problem);
	else
		told = db_one(rq, &try_again, job->id, job->epoch, text(rq,
		    lease_backoff_ms(job->attempt, FIRST_BACKOFF_MS, MAX_BACKOFF_MS)), r.problem);
	if (!row_bool(told, "held")) {
		metric_add(&jobs_lost, 1);
		s->lost++;
		return "lost";
	}
	if (r.outcome == JOB_DONE) {
		metric_add(&jobs_done, 1);
		s->done++;
		return "done";
	}
	log_line(r.outcome == JOB_DEAD ? LOG_ERROR : LOG_WARN,
	    r.outcome == JOB_DEAD ? "a job needs an operator" : "a job is tried again later",
	    "job", job->id, "kind", job->kind, "problem", r.problem, NULL);
	if (r.outcome == JOB_DEAD) {
		metric_add(&jobs_dead, 1);
		s->dead++;
		return "dead";
	}
	metric_add(&jobs_retried, 1);
	s->retried++;
	return "retry";
}

const struct shape job_run_shape = {
	.name = "JobRun",
	.doc = "A job that was run",
	.fields = FIELDS(
		OUT(id,      ID,  "The job", .example = "1"),
		OUT(kind,    STR, "What it does", .example = "\"mail\""),
		OUT(outcome, STR, "What became of it", .example = "\"done\"")),
};

static void
write_job(struct json *answer, const struct job *job, const char *outcome)
{
	json_open(answer, '{');
	json_key(answer, "id");
	json_raw(answer, job->id);
	json_member(answer, "kind", job->kind);
	json_member(answer, "outcome", outcome);
	json_close(answer);
}

static void
write_count(struct json *answer, const char *name, int64_t n)
{
	json_key(answer, name);
	json_int(answer, n);
}

static void
end_kinds(const struct sweep *s)
{
	for (size_t i = 0; s->kinds[i].name != NULL; i++)
		if (s->used[i] && s->kinds[i].end != NULL)
			s->kinds[i].end();
}

struct status
jobs_sweep(struct req *rq, const struct job_kind *kinds)
{
	uint64_t end = now_us() + SWEEP_US;
	struct sweep s = { .kinds = kinds };
	struct json *answer = json_new(rq);
	const struct job *job;
	int64_t oldest_ms;

	json_open(answer, '{');
	json_key(answer, "jobs");
	json_open(answer, '[');
	for (int n = 0; n < MOST_JOBS && now_us() < end && (job = next_job(rq, &s)) != NULL; n++) {
		size_t kind = kind_of(&s, job);
		struct job_result r;

		fault_point("job_after_claim");
		s.used[kind] = true;
		r = run_job(rq, &kinds[kind], job);
		s.skipped[kind] = r.outcome == JOB_AWAY;
		fault_point("job_before_report");
		write_job(answer, job, report(rq, &s, job, r));
	}
	json_close(answer);
	end_kinds(&s);
	write_count(answer, "done", s.done);
	write_count(answer, "retried", s.retried);
	write_count(answer, "dead", s.dead);
	write_count(answer, "lost", s.lost);
	oldest_ms = row_int(db_one(rq, &oldest_due), "ms");
	metric_set(&jobs_oldest, (uint64_t)oldest_ms / 1000);
	write_count(answer, "oldest_due_ms", oldest_ms);
	return reply_json(rq, 200, json_text(answer));
}
