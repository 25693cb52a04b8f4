/*
 * POST /internal/cron/history-purge
 *
 * Forgets jobs that were done long ago, events that were sent long ago (or, where
 * nobody sends them, happened), mailed tokens that have expired, and Stripe's
 * events.  A job's dedupe key is good for as long as the job is kept; so is the id
 * of an event of Stripe's, who lists them for 30 days.
 */
#include "fn.h"

#include "json.h"
#include "sink.h"

SETTING_INT(job_days, "JOB_RETENTION_DAYS", 7, 1, 3650, "Days that jobs are kept once they are done");
SETTING_INT(event_days, "EVENT_RETENTION_DAYS", 7, 1, 3650, "Days that events are kept");
SETTING_INT(webhook_days, "WEBHOOK_RETENTION_DAYS", 45, 31, 3650,
    "Days that Stripe's events are kept");

enum { BATCH = 1000, MOST_BATCHES = 10 };

QUERY(purge_jobs,
	"SELECT ops.job_purge($1, $2) AS n");
QUERY(purge_events,
	"SELECT ops.event_purge($1, false, $2) AS n");
QUERY(purge_events_of_nobody,
	"SELECT ops.event_purge($1, true, $2) AS n");
QUERY(purge_tokens,
	"SELECT users.email_token_purge($1) AS n");
QUERY(purge_webhooks,
	"SELECT payments.webhook_purge($1, $2) AS n");

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
		OUT(tokens, INT, "How many mailed tokens were", .example = "0"),
		OUT(webhooks, INT, "How many events of Stripe's were", .example = "0")),
};

/* days: 0 where the rows know by themselves when they are over. */
static void
purge(struct req *rq, struct json *answer, const char *name, const struct query *q, int64_t days)
{
	const char *age = text(rq, days * 86400), *most = text(rq, BATCH);
	int64_t gone = 0, n = BATCH;

	for (int i = 0; i < MOST_BATCHES && n == BATCH; i++)
		gone += n = row_int(days == 0 ? db_one(rq, q, most) : db_one(rq, q, age, most), "n");
	json_key(answer, name);
	json_int(answer, gone);
}

static struct status
purge_history(struct req *rq)
{
	struct json *answer = json_new(rq);

	json_open(answer, '{');
	purge(rq, answer, "jobs", &purge_jobs, job_days.number);
	purge(rq, answer, "events", sink_url() == NULL ? &purge_events_of_nobody : &purge_events,
	    event_days.number);
	purge(rq, answer, "tokens", &purge_tokens, 0);
	purge(rq, answer, "webhooks", &purge_webhooks, webhook_days.number);
	return reply_json(rq, 200, json_text(answer));
}
