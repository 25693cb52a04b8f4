/*
 * GET /v1/refunds/{id}
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(get_refund) = {
	.method  = HTTP_GET,
	.path    = "/v1/refunds/{id}",
	.summary = "A refund",
	SIM_ENDPOINT,
	SIM_ID("The refund")
};

static struct status
get_refund(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "retrieve_refund", in->id, params);
}
