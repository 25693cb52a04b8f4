/*
 * GET /simulator/page.css
 */
#include "sim.h"

/* The path is from the root of the repository, where builds run. */
__asm__(
	".pushsection .rodata\n"
	".local sim_page_css\n"
	"sim_page_css:\n"
	".incbin \"functions/stripe-sim/page.css\"\n"
	".byte 0\n"
	".popsection\n");

extern const char sim_page_css[] __attribute__((visibility("hidden")));

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
