/*
 * GET /v1/webhook_endpoints
 */
#include "sim.h"

static const struct sim_param params[] = {
	SIM_PAGE,
	SIM_END
};

ENDPOINT(list_webhook_endpoints) = {
	.method  = HTTP_GET,
	.path    = "/v1/webhook_endpoints",
	.summary = "Webhook endpoints, newest first",
	SIM_ENDPOINT
};

static struct status
list_webhook_endpoints(struct req *rq)
{
	return sim_call(rq, SIM_SHOP, "list_endpoints", NULL, params);
}
