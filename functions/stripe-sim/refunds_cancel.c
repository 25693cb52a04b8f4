/*
 * POST /v1/refunds/{id}/cancel
 *
 * Only while it is pending: the money has not left yet.
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(cancel_refund) = {
	.method  = HTTP_POST,
	.path    = "/v1/refunds/{id}/cancel",
	.summary = "Cancel a refund",
	SIM_ENDPOINT,
	SIM_ID("The refund")
};

static struct status
cancel_refund(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "cancel_refund", in->id, params);
}
