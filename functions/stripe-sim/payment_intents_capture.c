/*
 * POST /v1/payment_intents/{id}/capture
 *
 * All that capture_method=manual has held, or a part; the rest is released.
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_PARAM("amount_to_capture", SIM_INTEGER),
	SIM_PARAM("statement_descriptor", SIM_TEXT, .max = 22),
	SIM_PARAM("statement_descriptor_suffix", SIM_TEXT, .max = 22),
	SIM_METADATA,
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(capture_payment_intent) = {
	.method  = HTTP_POST,
	.path    = "/v1/payment_intents/{id}/capture",
	.summary = "Take held money",
	SIM_ENDPOINT,
	SIM_ID("The payment intent")
};

static struct status
capture_payment_intent(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "capture_intent", in->id, params);
}
