/*
 * GET /v1/payment_methods/{id}
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(get_payment_method) = {
	.method  = HTTP_GET,
	.path    = "/v1/payment_methods/{id}",
	.summary = "A payment method",
	SIM_ENDPOINT,
	SIM_ID("The payment method")
};

static struct status
get_payment_method(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "retrieve_payment_method", in->id, params);
}
