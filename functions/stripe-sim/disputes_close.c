/*
 * POST /v1/disputes/{id}/close
 *
 * The shop lets the buyer have the money: lost, or for an inquiry closed.
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(close_dispute) = {
	.method  = HTTP_POST,
	.path    = "/v1/disputes/{id}/close",
	.summary = "Accept a dispute",
	SIM_ENDPOINT,
	SIM_ID("The dispute")
};

static struct status
close_dispute(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "close_dispute", in->id, params);
}
