/*
 * POST /internal/cron/payments-reconcile
 *
 * Finds what webhooks have lost, and where Stripe's books and ours differ.  A
 * run does what it can in twenty seconds, and the next one goes on from there.
 */
#include "fn.h"

#include "json.h"
#include "reconcile.h"

enum { RUN_US = 20000000 };

ENDPOINT(reconcile_payments) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/payments-reconcile",
	.summary = "Find what webhooks have lost, and where the books differ",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "What is found is applied once, however often it is found",
	.event   = true,
	.timeout_s = 60,
	.every_s = 60,
	.output  = FIELDS(
		OUT(events,          INT, "Events that were not known here", .example = "0"),
		OUT(events_applied,  INT, "... of which so many had an effect", .example = "0"),
		OUT(orders,          INT, "Unpaid orders that were looked up", .example = "0"),
		OUT(intents,         INT, "Payment intents that were held against our books",
		    .example = "12"),
		OUT(intents_applied, INT, "... of which so many were news", .example = "0"),
		OUT(orphans,         INT, "... and so many were nobody's, and cancelled",
		    .example = "0"),
		OUT(drift,           INT, "Differences that are left for an operator", .example = "0"),
		OUT(complete,        BOOL, "Whether every list was gone through to its end")),
};

static void
number(struct json *j, const char *name, int64_t n)
{
	json_key(j, name);
	json_int(j, n);
}

static struct status
reconcile_payments(struct req *rq)
{
	struct reconciled r = { 0 };
	bool complete = reconcile(rq, now_us() + RUN_US, &r);
	struct json *answer = json_new(rq);

	json_open(answer, '{');
	number(answer, "events", r.events);
	number(answer, "events_applied", r.events_applied);
	number(answer, "orders", r.orders);
	number(answer, "intents", r.intents);
	number(answer, "intents_applied", r.intents_applied);
	number(answer, "orphans", r.orphans);
	number(answer, "drift", r.drift);
	json_key(answer, "complete");
	json_bool(answer, complete);
	return reply_json(rq, 200, json_text(answer));
}
