/*
 * POST /internal/stripe-sim/deliver
 *
 * What Stripe does on its own time: retries webhooks, settles charges,
 * completes refunds.  A first try leaves right after the answer to the call
 * that caused it, and does not wait for this.
 */
#include "sim.h"

#include <time.h>

enum { PATIENCE_MS = 1000, BUDGET_MS = 8000, STEP_MS = 20 };

QUERY(tick, "SELECT stripe_sim.tick()");
QUERY(next_due, "SELECT stripe_sim.next_due_ms() AS ms");

ENDPOINT(deliver_webhooks) = {
	.method  = HTTP_POST,
	.path    = "/internal/stripe-sim/deliver",
	.summary = "Send the webhooks that are due",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.raw_body = true,
	.commit  = COMMIT_EACH,
	.repeatable = "What another run is sending is left to it",
	.timeout_s = 60,
	.every_s = 1,
};

/* It comes by once a second; what falls due in between would be late. */
static bool
await_next(struct req *rq, int64_t *patience_ms)
{
	const struct row *next = db_one(rq, &next_due);
	int64_t ms = row_int(next, "ms");

	if (row_text(next, "ms") == NULL || ms > *patience_ms)
		return false;
	ms = ms < STEP_MS ? STEP_MS : ms;	/* another sender may be at it */
	*patience_ms -= ms;
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
	return true;
}

static struct status
deliver_webhooks(struct req *rq)
{
	int64_t patience_ms = PATIENCE_MS;

	do {
		db_one(rq, &tick);
		sim_send_due(rq, BUDGET_MS);
	} while (!req_failed(rq) && await_next(rq, &patience_ms));
	return reply_message(rq, 200, "Sent");
}
