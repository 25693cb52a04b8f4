/*
 * GET /v1/charges
 */
#include "sim.h"

static const struct sim_param params[] = {
	SIM_PARAM("payment_intent", SIM_TEXT, .max = 255),
	SIM_PAGE,
	SIM_END
};

ENDPOINT(list_charges) = {
	.method  = HTTP_GET,
	.path    = "/v1/charges",
	.summary = "Charges, newest first",
	SIM_ENDPOINT
};

static struct status
list_charges(struct req *rq)
{
	return sim_call(rq, SIM_SHOP, "list_charges", NULL, params);
}
