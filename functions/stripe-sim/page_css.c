/*
 * GET /simulator/page.css
 */
#include "sim.h"

SIM_EMBED(sim_page_css, "functions/stripe-sim/page.css");

ENDPOINT(control_page_css) = {
	.method  = HTTP_GET,
	.path    = "/simulator/page.css",
	.summary = "How the control page looks",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
	.media_type = "text/css",
};

static struct status
control_page_css(struct req *rq)
{
	return sim_page(rq, "text/css; charset=utf-8", sim_page_css);
}
