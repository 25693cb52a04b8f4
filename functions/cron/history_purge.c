/*
 * POST /internal/cron/history-purge
 *
 * Forgets jobs that were done long ago, events that were sent long ago (or, where
 * nobody sends them, happened), and Stripe's events.  A job's dedupe key is good for
 * as long as the job is kept; so is the id of an event of Stripe's, who lists them
 * for 30 days.
 */
#include "fn.h"

#include "purge.h"
#include "sink.h"

SETTING_INT(job_days, "JOB_RETENTION_DAYS", 7, 1, 3650, "Days that jobs are kept once they are done");
SETTING_INT(event_days, "EVENT_RETENTION_DAYS", 7, 1, 3650, "Days that events are kept");
SETTING_INT(webhook_days, "WEBHOOK_RETENTION_DAYS", 45, 31, 3650,
    "Days that Stripe's events are kept");

QUERY(purge,
	"SELECT ops.job_purge($2, $1) AS jobs, ops.event_purge($3, $4, $1) AS events,"
	"       payments.webhook_purge($5, $1) AS webhooks");

ENDPOINT(purge_history) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/history-purge",
	.summary = "Forget what is done and over",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "What is forgotten is gone",
	.event   = true,
	.timeout_s = 60,
	.every_s = 60,
	.output  = FIELDS(
		OUT(jobs,     INT,  "How many jobs were forgotten", .example = "0"),
		OUT(events,   INT,  "How many events were", .example = "0"),
		OUT(webhooks, INT,  "How many events of Stripe's were", .example = "0"),
		OUT(more,     BOOL, "Whether some are left for the next run",
		    .example = "false")),
};

static const char *
seconds_of(struct req *rq, int64_t days)
{
	return text(rq, days * 86400);
}

static const struct row *
purge_batch_of(struct req *rq, const char *most)
{
	return db_one(rq, &purge, most, seconds_of(rq, job_days.number),
	    seconds_of(rq, event_days.number), sink_url() == NULL ? "true" : "false",
	    seconds_of(rq, webhook_days.number));
}

static struct status
purge_history(struct req *rq)
{
	static const char *const kinds[] = { "jobs", "events", "webhooks", NULL };

	return purge_in_batches(rq, purge_batch_of, kinds);
}
