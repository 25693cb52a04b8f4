/*
 * GET /v1/payment_intents
 */
#include "sim.h"

static const struct sim_param params[] = {
	SIM_PAGE,
	SIM_END
};

ENDPOINT(list_payment_intents) = {
	.method  = HTTP_GET,
	.path    = "/v1/payment_intents",
	.summary = "Payment intents, newest first",
	SIM_ENDPOINT
};

static struct status
list_payment_intents(struct req *rq)
{
	return sim_call(rq, SIM_SHOP, "list_intents", NULL, params);
}
