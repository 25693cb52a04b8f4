/*
 * POST /v1/refunds/{id}
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_METADATA,
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(update_refund) = {
	.method  = HTTP_POST,
	.path    = "/v1/refunds/{id}",
	.summary = "Update the metadata of a refund",
	SIM_ENDPOINT,
	SIM_ID("The refund")
};

static struct status
update_refund(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "update_refund", in->id, params);
}
