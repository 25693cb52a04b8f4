/*
 * Whatever Stripe has and the simulator has not, in Stripe's words.
 */
#include "sim.h"

ENDPOINT(unrecognized_url) = {
	.method  = HTTP_GET,
	.path    = "/*",
	.summary = "Any other path",
	SIM_ENDPOINT
};

static struct status
unrecognized_url(struct req *rq)
{
	struct sim_call c;

	if (!sim_begin_call(rq, &c, SIM_SHOP))
		return c.refusal;
	return sim_fail(rq, c.request_id, &(struct sim_error){ 404, NULL, NULL, NULL,
	    fmt(rq, "Unrecognized request URL (%s: %s). Please see https://stripe.com/docs or we"
	    " can help at https://support.stripe.com/.", c.method, c.path) });
}
