/*
 * GET /v1/events/{id}
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(get_event) = {
	.method  = HTTP_GET,
	.path    = "/v1/events/{id}",
	.summary = "An event",
	SIM_ENDPOINT,
	SIM_ID("The event")
};

static struct status
get_event(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "retrieve_event", in->id, params);
}
