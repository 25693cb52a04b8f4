/*
 * GET /simulator/faults
 */
#include "sim.h"

QUERY(faults, "SELECT stripe_sim.faults()");

ENDPOINT(get_faults) = {
	.method  = HTTP_GET,
	.path    = "/simulator/faults",
	.summary = "What has been made to go wrong",
	.access  = ACCESS_SIGNED,
	.rate    = RATE_NONE,
	.errors  = ERRORS(ERR_UNAUTHENTICATED),
};

static struct status
get_faults(struct req *rq)
{
	if (!sim_may_control(rq))
		return fail(rq, ERR_UNAUTHENTICATED);
	return reply_row(rq, 200, db_one(rq, &faults));
}
