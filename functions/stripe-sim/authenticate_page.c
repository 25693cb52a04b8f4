/*
 * GET /simulator/authenticate/{id}
 *
 * The bank's page: where next_action sends a buyer whose card wants 3-D Secure.
 */
#include "sim.h"

struct input { const char *id; };

QUERY(challenge, "SELECT amount, currency FROM stripe_sim.challenge($1)");

ENDPOINT(authenticate_page) = {
	.method  = HTTP_GET,
	.path    = "/simulator/authenticate/{id}",
	.summary = "The bank's page",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
	.media_type = "text/html",
	SIM_ID("The payment intent"),
};

static struct status
authenticate_page(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *asked = db_one(rq, &challenge, in->id);

	if (asked == NULL)
		return fail(rq, ERR_NOT_FOUND);
	return sim_page(rq, "text/html; charset=utf-8", fmt(rq, "<!doctype html><html lang=\"en\">"
	    "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
	    "<title>3-D Secure</title><link rel=\"stylesheet\" href=\"/simulator/page.css\">"
	    "<main class=\"bank\"><h1>Your bank asks</h1><p>Do you want to pay"
	    " <strong>%s %s</strong>?</p><form method=\"post\">"
	    "<button class=\"good\" name=\"outcome\" value=\"succeed\">Complete</button> "
	    "<button class=\"bad\" name=\"outcome\" value=\"fail\">Fail</button></form>"
	    "<p class=\"quiet\">A test: the simulator plays the bank.</p></main></html>\n",
	    row_text(asked, "amount"), row_text(asked, "currency")));
}
