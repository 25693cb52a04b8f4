/*
 * POST /internal/cron/backlog-measure
 *
 * Counts the sagas and jobs that have not ended, for /metrics: where they
 * stand, and how long the first of them has been overdue.  Only here, and not
 * whenever /metrics is read: that costs Postgres nothing then.
 */
#include "fn.h"

#include "json.h"
#include "saga_steps.h"

#include <string.h>
#include <time.h>

#define LIVE_HELP "Sagas that have not ended, by where they stand"
#define GAUGE_OF(kind, version, step, state, act)			\
	GAUGE(act##_live, "sagas_live", SAGA_LABELS(kind, step, state), LIVE_HELP);
SAGA_STEPS(GAUGE_OF)
GAUGE(other_live, "sagas_live", SAGA_LABELS(other, other, other), LIVE_HELP);
GAUGE(paused, "sagas_stopped", "state=\"paused\"", "Sagas that wait for an operator");
GAUGE(dead, "sagas_stopped", "state=\"dead\"", "Sagas that wait for an operator");
GAUGE(overdue, "saga_oldest_overdue_seconds", "",
    "How long ago the alarm rang that nobody has come to for longest");

/* The kinds that are counted by themselves. */
#define JOB_KINDS(X)	X(mail)
#define JOBS_HELP	"Jobs that have not ended"
#define JOB_GAUGES(kind)						\
	GAUGE(kind##_waiting, "jobs_open", "kind=\"" #kind "\",state=\"waiting\"", JOBS_HELP); \
	GAUGE(kind##_running, "jobs_open", "kind=\"" #kind "\",state=\"running\"", JOBS_HELP); \
	GAUGE(kind##_dead, "jobs_open", "kind=\"" #kind "\",state=\"dead\"", JOBS_HELP);
JOB_KINDS(JOB_GAUGES)
JOB_GAUGES(other)

GAUGE(measured, "backlog_measured_timestamp_seconds", "",
    "When sagas and jobs were last counted, in Unix time");

QUERY(count_sagas,
	"SELECT kind, state, step, sagas AS n, overdue_s FROM orders.saga_census()");
QUERY(count_jobs,
	"SELECT kind, state, jobs AS n FROM ops.job_census()");

ENDPOINT(measure_backlog) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/backlog-measure",
	.summary = "Count the sagas and jobs that have not ended, for the metrics",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "It changes nothing",
	.raw_body = true,
	.every_s = 10,
	.output  = FIELDS(
		OUT(sagas,   INT, "Sagas that go on by themselves", .example = "12"),
		OUT(stopped, INT, "Sagas that wait for an operator", .example = "0"),
		OUT(overdue_s, INT, "How long the first of them has been overdue", .example = "0"),
		OUT(jobs,    INT, "Jobs that will run by themselves", .example = "0"),
		OUT(dead_jobs, INT, "Jobs that were given up", .example = "0")),
};

/* What a gauge counts: rows that are like this, NULL being like anything. */
struct count {
	const char *kind, *state, *step;
	struct metric *gauge;
	int64_t n;
};

static bool
is_like(const struct row *row, const char *column, const char *wanted)
{
	const char *found = row_text(row, column);

	return wanted == NULL || (found != NULL && strcmp(found, wanted) == 0);
}

/* Each row counts once, where it fits first; the last count takes any. */
static void
tell(const struct rows *rows, struct count *counts, size_t size)
{
	for (size_t i = 0; i < rows_count(rows); i++) {
		const struct row *row = rows_at(rows, i);
		struct count *c = counts;

		while (c < counts + size - 1 && !(is_like(row, "kind", c->kind) &&
		    is_like(row, "state", c->state) && is_like(row, "step", c->step)))
			c++;
		c->n += row_int(row, "n");
	}
	for (size_t i = 0; i < size; i++)
		metric_set(counts[i].gauge, (uint64_t)counts[i].n);
}

/* Adds up those from..to. */
static int64_t
sum(const struct count *counts, size_t from, size_t to)
{
	int64_t n = 0;

	for (size_t i = from; i < to; i++)
		n += counts[i].n;
	return n;
}

static void
write_count(struct json *answer, const char *name, int64_t n)
{
	json_key(answer, name);
	json_int(answer, n);
}

static struct status
measure_backlog(struct req *rq)
{
#define COUNT_OF(kind, version, step, state, act) { #kind, #state, #step, &act##_live, 0 },
#define COUNTS_OF(kind)							\
	{ #kind, "waiting", NULL, &kind##_waiting, 0 },			\
	{ #kind, "running", NULL, &kind##_running, 0 },			\
	{ #kind, "dead", NULL, &kind##_dead, 0 },
	struct count sagas[] = {
		{ NULL, "paused", NULL, &paused, 0 },
		{ NULL, "dead", NULL, &dead, 0 },
		SAGA_STEPS(COUNT_OF)
		{ NULL, NULL, NULL, &other_live, 0 },
	}, jobs[] = {
		JOB_KINDS(COUNTS_OF)
		{ NULL, "waiting", NULL, &other_waiting, 0 },
		{ NULL, "running", NULL, &other_running, 0 },
		{ NULL, "dead", NULL, &other_dead, 0 },
	};
	enum {
		STOPPED = 2,		/* the first two */
		SAGAS = sizeof(sagas) / sizeof(*sagas),
		JOBS = sizeof(jobs) / sizeof(*jobs)
	};
	const struct rows *some = db_all(rq, &count_sagas), *others = db_all(rq, &count_jobs);
	struct json *answer = json_new(rq);
	int64_t late = 0, given_up = 0;

	if (some == NULL || others == NULL)
		return fail(rq, ERR_UNAVAILABLE);
	tell(some, sagas, SAGAS);
	tell(others, jobs, JOBS);
	for (size_t i = 0; i < rows_count(some); i++)
		if (row_int(rows_at(some, i), "overdue_s") > late)
			late = row_int(rows_at(some, i), "overdue_s");
	metric_set(&overdue, (uint64_t)late);
	metric_set(&measured, (uint64_t)time(NULL));
	json_open(answer, '{');
	write_count(answer, "sagas", sum(sagas, STOPPED, SAGAS));
	write_count(answer, "stopped", sum(sagas, 0, STOPPED));
	write_count(answer, "overdue_s", late);
	for (size_t i = 0; i < JOBS; i++)
		given_up += strcmp(jobs[i].state, "dead") == 0 ? jobs[i].n : 0;
	write_count(answer, "jobs", sum(jobs, 0, JOBS) - given_up);
	write_count(answer, "dead_jobs", given_up);
	return reply_json(rq, 200, json_text(answer));
}
