/*
 * POST /v1/payment_intents/{id}/confirm
 *
 * What the buyer's browser does, with the client secret, and what a test
 * does with curl: payment_method names a test card. A declined card is 402,
 * and the intent waits for another one.
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_PARAM("client_secret", SIM_TEXT, .max = 255),
	SIM_CONFIRMATION,
	SIM_INTENT_FIELDS,
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(confirm_payment_intent) = {
	.method  = HTTP_POST,
	.path    = "/v1/payment_intents/{id}/confirm",
	.summary = "Pay with a test card",
	SIM_ENDPOINT,
	SIM_ID("The payment intent")
};

static struct status
confirm_payment_intent(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_BUYER, "confirm_intent", in->id, params);
}
