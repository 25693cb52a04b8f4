/*
 * POST /v1/webhook_endpoints/{id}
 *
 * One that is disabled hears nothing more, and what it has not heard is
 * given up.
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_PARAM("url", SIM_TEXT, .max = 2048),
	SIM_PARAM("enabled_events", SIM_TEXTS, .max = 255),
	SIM_PARAM("disabled", SIM_BOOLEAN),
	SIM_PARAM("description", SIM_TEXT, .unset = true, .max = 5000),
	SIM_METADATA,
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(update_webhook_endpoint) = {
	.method  = HTTP_POST,
	.path    = "/v1/webhook_endpoints/{id}",
	.summary = "Update a webhook endpoint",
	SIM_ENDPOINT,
	SIM_ID("The endpoint")
};

static struct status
update_webhook_endpoint(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "update_endpoint", in->id, params);
}
