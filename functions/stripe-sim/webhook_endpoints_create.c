/*
 * POST /v1/webhook_endpoints
 *
 * The answer alone shows the secret that its events are signed with.
 */
#include "sim.h"

static const struct sim_param params[] = {
	SIM_PARAM("url", SIM_TEXT, .required = true, .max = 2048),
	SIM_PARAM("enabled_events", SIM_TEXTS, .required = true, .max = 255),
	SIM_PARAM("description", SIM_TEXT, .unset = true, .max = 5000),
	SIM_PARAM("api_version", SIM_TEXT, .max = 64),
	SIM_METADATA,
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(create_webhook_endpoint) = {
	.method  = HTTP_POST,
	.path    = "/v1/webhook_endpoints",
	.summary = "Register a webhook endpoint",
	SIM_ENDPOINT
};

static struct status
create_webhook_endpoint(struct req *rq)
{
	return sim_call(rq, SIM_SHOP, "create_endpoint", NULL, params);
}
