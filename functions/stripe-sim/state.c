/*
 * GET /simulator/state
 *
 * What the control page shows: payment intents with all that became of them,
 * events with their deliveries, and the faults that are set.
 */
#include "sim.h"

struct input { const char *search, *before; };

QUERY(state, "SELECT stripe_sim.state($1, $2)");

ENDPOINT(get_state) = {
	.method  = HTTP_GET,
	.path    = "/simulator/state",
	.summary = "What there is and what was sent",
	.access  = ACCESS_SIGNED,
	.rate    = RATE_NONE,
	.input   = FIELDS(
		PARAM(search, STR, "Part of an id, a status, an event's type or the metadata", .max = 200),
		PARAM(before, ID, "Only older intents: the seq of the last one shown")),
	.errors  = ERRORS(ERR_UNAUTHENTICATED),
};

static struct status
get_state(struct req *rq)
{
	const struct input *in = req_input(rq);

	if (!sim_may_control(rq))
		return fail(rq, ERR_UNAUTHENTICATED);
	return reply_row(rq, 200, db_one(rq, &state, in->search, in->before));
}
