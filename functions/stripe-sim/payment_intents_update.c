/*
 * POST /v1/payment_intents/{id}
 *
 * Metadata is merged, and like the texts it stays writable for ever. The
 * amount and the payment method do so only until there is a payment.
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_PARAM("amount", SIM_INTEGER),
	SIM_PARAM("currency", SIM_TEXT, .max = 64),
	SIM_INTENT_FIELDS,
	SIM_INTENT_TEXTS,
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(update_payment_intent) = {
	.method  = HTTP_POST,
	.path    = "/v1/payment_intents/{id}",
	.summary = "Update a payment intent",
	SIM_ENDPOINT,
	SIM_ID("The payment intent")
};

static struct status
update_payment_intent(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "update_intent", in->id, params);
}
