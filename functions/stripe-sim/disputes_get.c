/*
 * GET /v1/disputes/{id}
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(get_dispute) = {
	.method  = HTTP_GET,
	.path    = "/v1/disputes/{id}",
	.summary = "A dispute",
	SIM_ENDPOINT,
	SIM_ID("The dispute")
};

static struct status
get_dispute(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "retrieve_dispute", in->id, params);
}
