/*
 * DELETE /simulator/faults/{id}
 *
 * Answers with those that are left.
 */
#include "sim.h"

struct input { const char *id; };

QUERY(clear_one, "SELECT stripe_sim.clear_faults($1)");

ENDPOINT(clear_fault) = {
	.method  = HTTP_DELETE,
	.path    = "/simulator/faults/{id}",
	.summary = "Let one thing work again",
	.access  = ACCESS_SIGNED,
	.rate    = RATE_NONE,
	.input   = FIELDS(PATH(id, ID, "The fault")),
	.errors  = ERRORS(ERR_UNAUTHENTICATED),
};

static struct status
clear_fault(struct req *rq)
{
	const struct input *in = req_input(rq);

	if (!sim_may_control(rq))
		return fail(rq, ERR_UNAUTHENTICATED);
	return reply_row(rq, 200, db_one(rq, &clear_one, in->id));
}
