/*
 * DELETE /simulator/faults
 *
 * Everything works again.  What is delayed already stays so.
 */
#include "sim.h"

QUERY(clear, "SELECT stripe_sim.clear_faults()");

ENDPOINT(clear_faults) = {
	.method  = HTTP_DELETE,
	.path    = "/simulator/faults",
	.summary = "Let everything work again",
	.access  = ACCESS_SIGNED,
	.rate    = RATE_NONE,
	.errors  = ERRORS(ERR_UNAUTHENTICATED),
};

static struct status
clear_faults(struct req *rq)
{
	if (!sim_may_control(rq))
		return fail(rq, ERR_UNAUTHENTICATED);
	return reply_row(rq, 200, db_one(rq, &clear));
}
