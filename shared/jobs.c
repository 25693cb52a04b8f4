#include "jobs.h"
#include "json.h"
#include "lease.h"
#include "span.h"

#include <string.h>

COUNTER(jobs_done, "jobs_total", "outcome=\"done\"", "Jobs by what became of a try");
COUNTER(jobs_retried, "jobs_total", "outcome=\"retry\"", "Jobs by what became of a try");
COUNTER(jobs_dead, "jobs_total", "outcome=\"dead\"", "Jobs by what became of a try");
COUNTER(jobs_lost, "jobs_total", "outcome=\"lost\"", "Jobs by what became of a try");
HISTOGRAM(jobs_late, "job_late_seconds", "", "How long a job had been due when it was begun");
GAUGE(jobs_unknown, "jobs_unknown", "", "Jobs that are due, of kinds that this program does not have");
GAUGE(jobs_oldest, "jobs_oldest_due_seconds", "", "How long the longest waiting job has been due");

enum {
	SWEEP_US = 20000000,
	MOST_JOBS = 100,		/* of a sweep */
	MOST_KINDS = 32,
	LOOK_MS = 1000,
	FIRST_BACKOFF_MS = 2000,
	MAX_BACKOFF_MS = 20 * 60 * 1000
};

QUERY(claim,
	"SELECT id, kind, payload, epoch, attempt, late_us, traceparent,"
	"       (extract(epoch FROM created_at) * 1000000)::bigint AS created_us"
	"  FROM ops.job_claim($1, $2, 1, $3, $4)");
QUERY(done_and_next,
	"SELECT held, id, kind, payload, epoch, attempt, late_us, traceparent,"
	"       (extract(epoch FROM created_at) * 1000000)::bigint AS created_us"
	"  FROM ops.job_done_and_next($1, $2, $3, $4, $5, $6)");
QUERY(try_again,
	"SELECT ops.job_retry($1, $2, $3, $4) AS held");
QUERY(give_up,
	"SELECT ops.job_dead($1, $2, $3) AS held");
QUERY(clock,
	"SELECT oldest_due_ms, next_due_ms, unknown FROM ops.job_clock($1)");

struct sweep {
	const struct job_kind *kinds;
	bool skipped[MOST_KINDS], used[MOST_KINDS];
	const struct job *next;		/* claimed */
	bool drained;			/* asked for the next, and there was none */
	uint64_t end_us;
	int begun, done, retried, dead, lost;
};

/* Those still to be taken, and how many of each at once, as Postgres arrays;
 * false when there are none. */
static bool
kinds_left(struct req *rq, const struct sweep *s, const char **names, const char **most)
{
	const char *comma = "";

	*names = *most = "{";
	for (size_t i = 0; s->kinds[i].name != NULL; i++) {
		if (s->skipped[i])
			continue;
		*names = fmt(rq, "%s%s%s", *names, comma, s->kinds[i].name);
		*most = fmt(rq, "%s%s%d", *most, comma, s->kinds[i].at_once);
		comma = ",";
	}
	*names = fmt(rq, "%s}", *names);
	*most = fmt(rq, "%s}", *most);
	return *comma != '\0';
}

static void
take(struct req *rq, struct sweep *s, const struct row *row)
{
	struct job *job = NULL;

	if (row != NULL && row_text(row, "id") != NULL) {
		metric_observe_us(&jobs_late, (uint64_t)row_int(row, "late_us"));
		job = mem(rq, sizeof(*job));
		*job = (struct job){
			.id = row_text(row, "id"), .kind = row_text(row, "kind"),
			.payload = row_text(row, "payload"), .epoch = row_text(row, "epoch"),
			.created_us = row_text(row, "created_us"), .attempt = row_int(row, "attempt"),
			.trace = row_text(row, "traceparent"),
		};
	}
	s->next = job;
	s->drained = job == NULL;
}

static bool
may_begin(const struct sweep *s)
{
	return s->begun < MOST_JOBS && now_us() < s->end_us;
}

static void
claim_next(struct req *rq, struct sweep *s)
{
	const char *kinds, *most;

	s->next = NULL;
	if (!may_begin(s))
		return;
	if (kinds_left(rq, s, &kinds, &most))
		take(rq, s, db_one(rq, &claim, kinds, most, lease_owner(rq), text(rq, JOB_LEASE_S)));
	else
		s->drained = true;
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

/* Nearly every job is done, and then another is due. */
static const struct row *
tell_done(struct req *rq, struct sweep *s, const struct job *job)
{
	const char *kinds = "{}", *most = "{}";
	bool more = may_begin(s) && kinds_left(rq, s, &kinds, &most);
	const struct row *told = db_one(rq, &done_and_next, job->id, job->epoch, kinds, most,
	    lease_owner(rq), text(rq, JOB_LEASE_S));

	take(rq, s, told);
	s->drained = more && s->next == NULL;
	return told;
}

/* What the database is told, and what it says: "done", "retry", "dead", or
 * "lost" where somebody else has the job by now.  The next is claimed. */
static const char *
report(struct req *rq, struct sweep *s, const struct job *job, struct job_result r)
{
	const struct row *told;

	if (r.outcome == JOB_DONE) {
		told = tell_done(rq, s, job);
	} else {
		told = r.outcome == JOB_DEAD ?
		    db_one(rq, &give_up, job->id, job->epoch, r.problem) :
		    db_one(rq, &try_again, job->id, job->epoch, text(rq,
			lease_backoff_ms(job->attempt, FIRST_BACKOFF_MS, MAX_BACKOFF_MS)), r.problem);
		claim_next(rq, s);
	}
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

/* From the claim to the report. */
static const char *
do_job(struct req *rq, struct sweep *s, const struct job *job)
{
	size_t kind = kind_of(s, job);
	struct job_result r;
	struct span span;
	const char *outcome;

	span_begin_in(rq, &span, job->trace);
	s->begun++;
	s->used[kind] = true;
	r = run_job(rq, &s->kinds[kind], job);
	s->skipped[kind] = r.outcome == JOB_AWAY;
	fault_point("job_before_report");
	outcome = report(rq, s, job, r);
	if (span_is_on(rq))
		span_end(rq, &span, SPAN_CONSUMER, fmt(rq, "job %s", job->kind), r.problem,
		    "souk.job.id", job->id, "souk.job.attempt", text(rq, job->attempt),
		    "souk.job.outcome", outcome, NULL);
	return outcome;
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

static const char *
all_kinds(struct req *rq, const struct job_kind *kinds)
{
	const char *names = "";

	for (size_t i = 0; kinds[i].name != NULL; i++)
		names = fmt(rq, "%s%s%s", names, i == 0 ? "" : ",", kinds[i].name);
	return fmt(rq, "{%s}", names);
}

/* A newer program has left them, and they wait for one. */
static void
tell_unknown(struct req *rq, int64_t n)
{
	static bool told;

	metric_set(&jobs_unknown, (uint64_t)n);
	if (n > 0 && !told)
		log_line(LOG_WARN, "jobs are due of a kind that this program does not have",
		    "jobs", text(rq, n), NULL);
	told = n > 0;
}

/* When there will be more to do; drained: this run has left nothing that it could
 * take.  What is due even so is others', or waits for its kind's turn. */
static void
look_ahead(struct req *rq, const struct sweep *s, struct json *answer)
{
	const struct row *times = db_one(rq, &clock, all_kinds(rq, s->kinds));
	int64_t oldest_ms = row_int(times, "oldest_due_ms");
	int64_t next_ms = row_text(times, "next_due_ms") == NULL ? -1 : row_int(times, "next_due_ms");

	if (times != NULL)
		tell_unknown(rq, row_int(times, "unknown"));
	metric_set(&jobs_oldest, (uint64_t)oldest_ms / 1000);
	write_count(answer, "oldest_due_ms", oldest_ms);
	run_again(rq, s->drained && next_ms == 0 ? LOOK_MS : next_ms);
}

struct status
jobs_sweep(struct req *rq, const struct job_kind *kinds)
{
	struct sweep s = { .kinds = kinds, .end_us = now_us() + SWEEP_US };
	struct json *answer = json_new(rq);
	const struct job *job;

	json_open(answer, '{');
	json_key(answer, "jobs");
	json_open(answer, '[');
	for (claim_next(rq, &s); (job = s.next) != NULL; ) {
		fault_point("job_after_claim");
		write_job(answer, job, do_job(rq, &s, job));
	}
	json_close(answer);
	end_kinds(&s);
	write_count(answer, "done", s.done);
	write_count(answer, "retried", s.retried);
	write_count(answer, "dead", s.dead);
	write_count(answer, "lost", s.lost);
	look_ahead(rq, &s, answer);
	return reply_json(rq, 200, json_text(answer));
}
