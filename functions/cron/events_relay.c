/*
 * POST /internal/cron/events-relay
 *
 * Sends on what has happened in the shop, as CloudEvents to K_SINK: at least
 * once, and about one subject one after the other, in order.  An event that is
 * not taken holds back those about its own subject, and no others.
 */
#include "fn.h"

#include "outbox.h"

ENDPOINT(relay_events) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/events-relay",
	.summary = "Send events to the sink",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "Nobody gets what another run has claimed",
	.event   = true,
	.timeout_s = 60,
	.every_s = 1,
	.woken_by = "events",
	.output  = FIELDS(
		OUT(sink,    BOOL, "Whether there is one: K_SINK", .example = "true"),
		OUT(sent,    INT,  "How many events it has taken", .example = "3"),
		OUT(retried, INT,  "How many will be sent again", .example = "0"),
		OUT(dead,    INT,  "How many were given up", .example = "0"),
		OUT(lost,    INT,  "How many somebody else has taken over meanwhile", .example = "0"),
		OUT(waiting, INT,  "How many are left, with a sink", .nullable = true, .example = "0"),
		OUT(oldest_ms, INT, "How long the oldest of them has waited", .nullable = true, .example = "0")),
};

static struct status
relay_events(struct req *rq)
{
	return outbox_relay(rq);
}
