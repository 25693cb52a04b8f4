/*
 * POST /v1/payment_intents/{id}/cancel
 *
 * Decides between a buyer who is paying and a shop that has given up: an
 * intent is either paid or canceled, and who comes second is told so.
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_PARAM("cancellation_reason", SIM_CHOICE, .choices = CHOICES("duplicate",
		"fraudulent", "requested_by_customer", "abandoned")),
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(cancel_payment_intent) = {
	.method  = HTTP_POST,
	.path    = "/v1/payment_intents/{id}/cancel",
	.summary = "Cancel a payment intent",
	SIM_ENDPOINT,
	SIM_ID("The payment intent")
};

static struct status
cancel_payment_intent(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "cancel_intent", in->id, params);
}
