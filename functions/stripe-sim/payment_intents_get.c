/*
 * GET /v1/payment_intents/{id}
 *
 * With a publishable key and the intent's client secret, what its buyer may
 * see of it.
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_PARAM("client_secret", SIM_TEXT, .max = 255),
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(get_payment_intent) = {
	.method  = HTTP_GET,
	.path    = "/v1/payment_intents/{id}",
	.summary = "A payment intent",
	SIM_ENDPOINT,
	SIM_ID("The payment intent")
};

static struct status
get_payment_intent(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_BUYER, "retrieve_intent", in->id, params);
}
