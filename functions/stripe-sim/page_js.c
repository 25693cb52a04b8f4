/*
 * GET /simulator/page.js
 */
#include "sim.h"

SIM_EMBED(sim_page_js, "functions/stripe-sim/page.js");

ENDPOINT(control_page_js) = {
	.method  = HTTP_GET,
	.path    = "/simulator/page.js",
	.summary = "What the control page does",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
	.media_type = "text/javascript",
};

static struct status
control_page_js(struct req *rq)
{
	return sim_page(rq, "text/javascript; charset=utf-8", sim_page_js);
}
