/*
 * POST /v1/payment_methods
 *
 * Only Stripe's test values: an account that is debited later, or a token such
 * as tok_visa.  Cards are usually named by their alias where they are used.
 */
#include "sim.h"

static const struct sim_param params[] = {
	SIM_PARAM("type", SIM_CHOICE, .required = true, .choices = CHOICES("card", "sepa_debit")),
	SIM_PARAM("card[token]", SIM_TEXT, .max = 255),
	SIM_PARAM("sepa_debit[iban]", SIM_TEXT, .max = 64),
	SIM_PARAM("billing_details[name]", SIM_TEXT, .max = 5000),
	SIM_PARAM("billing_details[email]", SIM_TEXT, .max = 800),
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(create_payment_method) = {
	.method  = HTTP_POST,
	.path    = "/v1/payment_methods",
	.summary = "A bank account, or a card",
	SIM_ENDPOINT
};

static struct status
create_payment_method(struct req *rq)
{
	return sim_call(rq, SIM_SHOP, "create_payment_method", NULL, params);
}
