/*
 * POST /v1/payment_intents
 *
 * A shop makes one for each order, and with confirm=true pays it at once.
 * With its idempotency key that is one statement: the shop's customer waits
 * for it.
 */
#include "sim.h"

static const struct sim_param params[] = {
	SIM_PARAM("amount", SIM_INTEGER, .required = true),
	SIM_PARAM("currency", SIM_TEXT, .required = true, .max = 64),
	SIM_PARAM("confirm", SIM_BOOLEAN),
	SIM_PARAM("confirmation_method", SIM_CHOICE, .choices = CHOICES("automatic", "manual")),
	SIM_PARAM("automatic_payment_methods[enabled]", SIM_BOOLEAN),
	SIM_PARAM("automatic_payment_methods[allow_redirects]", SIM_CHOICE,
		.choices = CHOICES("always", "never")),
	SIM_CONFIRMATION,
	SIM_INTENT_FIELDS,
	SIM_INTENT_TEXTS,
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(create_payment_intent) = {
	.method  = HTTP_POST,
	.path    = "/v1/payment_intents",
	.summary = "Create a payment intent",
	SIM_ENDPOINT
};

static struct status
create_payment_intent(struct req *rq)
{
	return sim_call(rq, SIM_SHOP, "create_intent", NULL, params);
}
