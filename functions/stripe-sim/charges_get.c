/*
 * GET /v1/charges/{id}
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(get_charge) = {
	.method  = HTTP_GET,
	.path    = "/v1/charges/{id}",
	.summary = "A charge",
	SIM_ENDPOINT,
	SIM_ID("The charge")
};

static struct status
get_charge(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "retrieve_charge", in->id, params);
}
