/*
 * POST /simulator/events/{id}/resend
 *
 * The resend button of Stripe's dashboard: the same event once more, to one
 * endpoint or to each that listens for it.
 */
#include "sim.h"

struct input { const char *id, *endpoint; };

QUERY(resend, "SELECT stripe_sim.resend($1, $2)");

ENDPOINT(resend_event) = {
	.method  = HTTP_POST,
	.path    = "/simulator/events/{id}/resend",
	.summary = "Send an event again",
	.access  = ACCESS_SIGNED,
	.rate    = RATE_NONE,
	.input   = FIELDS(
		PATH(id,       STR, "The event", .max = 255),
		BODY(endpoint, STR, "Only to this webhook endpoint", .max = 255)),
	.errors  = ERRORS(ERR_UNAUTHENTICATED),
};

static struct status
resend_event(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *key;

	if (sim_key(rq, &key) != SIM_KEY_SECRET)
		return fail(rq, ERR_UNAUTHENTICATED);
	after_reply(rq, sim_send_soon);
	return reply_row(rq, 200, db_one(rq, &resend, in->id, in->endpoint));
}
