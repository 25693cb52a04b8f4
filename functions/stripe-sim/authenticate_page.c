/*
 * GET /simulator/authenticate/{id}
 *
 * The bank's page: where next_action sends a buyer whose card wants 3-D Secure.
 */
#include "sim.h"

#include <string.h>

struct input { const char *id; };

QUERY(challenge, "SELECT amount, currency FROM stripe_sim.challenge($1)");

ENDPOINT(authenticate_page) = {
	.method  = HTTP_GET,
	.path    = "/simulator/authenticate/{id}",
	.summary = "The bank's page",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
	.raw_body = true,
	SIM_ID("The payment intent"),
};

static struct status
authenticate_page(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *asked = db_one(rq, &challenge, in->id);
	const char *page;

	if (asked == NULL)
		return fail(rq, ERR_NOT_FOUND);
	page = fmt(rq, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
	    "<title>3-D Secure</title><h1>Your bank asks</h1>"
	    "<p>Do you want to pay %s %s?</p><form method=\"post\">"
	    "<button name=\"outcome\" value=\"succeed\">Complete</button> "
	    "<button name=\"outcome\" value=\"fail\">Fail</button></form></html>\n",
	    row_text(asked, "amount"), row_text(asked, "currency"));
	reply_header(rq, "Content-Security-Policy", "default-src 'none'");
	return reply_bytes(rq, 200, "text/html; charset=utf-8", page, strlen(page));
}
