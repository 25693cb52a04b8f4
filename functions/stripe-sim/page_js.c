/*
 * GET /simulator/page.js
 */
#include "sim.h"

/* The path is from the root of the repository, where builds run. */
__asm__(
	".pushsection .rodata\n"
	".local sim_page_js\n"
	"sim_page_js:\n"
	".incbin \"functions/stripe-sim/page.js\"\n"
	".byte 0\n"
	".popsection\n");

extern const char sim_page_js[] __attribute__((visibility("hidden")));

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
