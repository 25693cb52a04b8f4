/*
 * POST /internal/cron/jobs-run
 *
 * Runs what other functions have left to be done: mails.  At least once each;
 * several runs at once share the work.
 */
#include "fn.h"

#include "jobs.h"
#include "mail.h"

/* About a day of tries; whoever asked for a mail has long asked again. */
enum { MAIL_ATTEMPTS = 100 };
/* Mail servers turn those away who come with many connections. */
enum { MAILS_AT_ONCE = 4 };

ENDPOINT(run_jobs) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/jobs-run",
	.summary = "Run the jobs that are due",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "Nobody gets what another run has claimed",
	.event   = true,
	.timeout_s = 60,
	.every_s = 1,
	.woken_by = "jobs",
	.output  = FIELDS(
		OUT_OBJECT(jobs, job_run_shape, "Each job that was run", .many = true),
		OUT(done,    INT,  "How many are done", .example = "0"),
		OUT(retried, INT,  "How many will be tried again", .example = "0"),
		OUT(dead,    INT,  "How many were given up", .example = "0"),
		OUT(lost,    INT,  "How many somebody else has taken over meanwhile", .example = "0"),
		OUT(oldest_due_ms, INT, "How long the longest waiting job has been due", .example = "0")),
};

static struct status
run_jobs(struct req *rq)
{
	static const struct job_kind kinds[] = {
		{ "mail", MAIL_ATTEMPTS, MAILS_AT_ONCE, mail_job, mail_hang_up },
		{ .name = NULL }
	};

	return jobs_sweep(rq, kinds);
}
