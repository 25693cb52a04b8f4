/*
 * GET /v1/events
 *
 * delivery_success=false finds those that some endpoint has not taken: how a
 * shop catches up after it was away.
 */
#include "sim.h"

static const struct sim_param params[] = {
	SIM_PARAM("type", SIM_TEXT, .max = 255),
	SIM_PARAM("types", SIM_TEXTS, .max = 255),
	SIM_PARAM("delivery_success", SIM_BOOLEAN),
	SIM_PAGE,
	SIM_END
};

ENDPOINT(list_events) = {
	.method  = HTTP_GET,
	.path    = "/v1/events",
	.summary = "Events, newest first",
	SIM_ENDPOINT
};

static struct status
list_events(struct req *rq)
{
	return sim_call(rq, SIM_SHOP, "list_events", NULL, params);
}
