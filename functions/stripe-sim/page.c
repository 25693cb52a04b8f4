/*
 * GET /simulator
 *
 * The control page: what there is, what has been sent, and buttons for what a
 * buyer, a bank or bad luck would do.  All it shows it gets from
 * /simulator/state and writes as text.
 */
#include "sim.h"

#include <string.h>

SIM_EMBED(sim_page_html, "functions/stripe-sim/page.html");

ENDPOINT(control_page) = {
	.method  = HTTP_GET,
	.path    = "/simulator",
	.summary = "The control page",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
	.media_type = "text/html",
};

/* Where a form leads is left open: the bank's page sends buyers back to a shop. */
struct status
sim_page(struct req *rq, const char *media_type, const char *page)
{
	reply_header(rq, "Content-Security-Policy", "default-src 'none'; script-src 'self';"
	    " style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'");
	reply_header(rq, "Referrer-Policy", "same-origin");
	reply_header(rq, "Cache-Control", "no-cache");
	return reply_bytes(rq, 200, media_type, page, strlen(page));
}

static struct status
control_page(struct req *rq)
{
	return sim_page(rq, "text/html; charset=utf-8", sim_page_html);
}
