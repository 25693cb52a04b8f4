/*
 * POST /internal/cron/history-purge
 *
 * Forgets jobs that were done long ago, events that were sent long ago (or, where
 * nobody sends them, happened), and mailed tokens that have expired.  A job's
 * dedupe key is good for as long as the job is kept.
 */
#include "fn.h"

#include "json.h"
#include "sink.h"

SETTING_INT(job_days, "JOB_RETENTION_DAYS", 7, 1, 3650, "Days that jobs are kept once they are done");
SETTING_INT(event_days, "EVENT_RETENTION_DAYS", 7, 1, 3650, "Days that events are kept");

enum { BATCH = 1000, MOST_BATCHES = 10 };

QUERY(purge_jobs,
	"SELECT ops.job_purge($1, $2) AS n");
QUERY(purge_events,
	"SELECT ops.event_purge($1, $2, $3) AS n");
QUERY(purge_tokens,
	"SELECT users.email_token_purge($1) AS n");

ENDPOINT(purge_history) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/history-purge",
	.summary = "Forget what is done and over",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	/* Each batch by itself: none holds its locks for long. */
	.commit  = COMMIT_EACH,
	.repeatable = "What is forgotten is gone",
	.event   = true,
	.timeout_s = 60,
	.every_s = 60,
	.output  = FIELDS(
		OUT(jobs,   INT, "How many jobs were forgotten", .example = "0"),
		OUT(events, INT, "How many events were", .example = "0"),
		OUT(tokens, INT, "How many mailed tokens were", .example = "0")),
};

static struct status
purge_history(struct req *rq)
{
	const char *most = text(rq, BATCH);
	const char *job_age = text(rq, job_days.number * 86400);
	const char *event_age = text(rq, event_days.number * 86400);
	int64_t jobs = 0, events = 0, tokens = 0, n = BATCH;
	struct json *answer = json_new(rq);

	for (int i = 0; i < MOST_BATCHES && n == BATCH; i++)
		jobs += n = row_int(db_one(rq, &purge_jobs, job_age, most), "n");
	n = BATCH;
	for (int i = 0; i < MOST_BATCHES && n == BATCH; i++)
		events += n = row_int(db_one(rq, &purge_events, event_age,
		    sink_url() == NULL ? "true" : "false", most), "n");
	n = BATCH;
	for (int i = 0; i < MOST_BATCHES && n == BATCH; i++)
		tokens += n = row_int(db_one(rq, &purge_tokens, most), "n");
	json_open(answer, '{');
	json_key(answer, "jobs");
	json_int(answer, jobs);
	json_key(answer, "events");
	json_int(answer, events);
	json_key(answer, "tokens");
	json_int(answer, tokens);
	return reply_json(rq, 200, json_text(answer));
}
