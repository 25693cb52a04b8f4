/*
 * POST /v1/refunds
 *
 * All that is left of it, or the amount given. Money goes back to the card
 * it came from; the payment intent stays succeeded.
 */
#include "sim.h"

static const struct sim_param params[] = {
	SIM_PARAM("payment_intent", SIM_TEXT, .max = 255),
	SIM_PARAM("charge", SIM_TEXT, .max = 255),
	SIM_PARAM("amount", SIM_INTEGER),
	SIM_PARAM("reason", SIM_CHOICE, .choices = CHOICES("duplicate", "fraudulent",
		"requested_by_customer")),
	SIM_METADATA,
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(create_refund) = {
	.method  = HTTP_POST,
	.path    = "/v1/refunds",
	.summary = "Refund a payment",
	SIM_ENDPOINT
};

static struct status
create_refund(struct req *rq)
{
	return sim_call(rq, SIM_SHOP, "create_refund", NULL, params);
}
