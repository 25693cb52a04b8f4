/*
 * GET /v1/disputes
 */
#include "sim.h"

static const struct sim_param params[] = {
	SIM_PARAM("payment_intent", SIM_TEXT, .max = 255),
	SIM_PARAM("charge", SIM_TEXT, .max = 255),
	SIM_PAGE,
	SIM_END
};

ENDPOINT(list_disputes) = {
	.method  = HTTP_GET,
	.path    = "/v1/disputes",
	.summary = "Disputes, newest first",
	SIM_ENDPOINT
};

static struct status
list_disputes(struct req *rq)
{
	return sim_call(rq, SIM_SHOP, "list_disputes", NULL, params);
}
