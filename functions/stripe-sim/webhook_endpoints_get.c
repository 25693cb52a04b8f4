/*
 * GET /v1/webhook_endpoints/{id}
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(get_webhook_endpoint) = {
	.method  = HTTP_GET,
	.path    = "/v1/webhook_endpoints/{id}",
	.summary = "A webhook endpoint",
	SIM_ENDPOINT,
	SIM_ID("The endpoint")
};

static struct status
get_webhook_endpoint(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "retrieve_endpoint", in->id, params);
}
