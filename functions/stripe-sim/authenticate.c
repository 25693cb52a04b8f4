/*
 * POST /simulator/authenticate/{id}
 *
 * The buyer has answered the bank (3-D Secure).  A browser is sent back to the
 * shop's return_url; a program gets the payment intent.
 */
#include "sim.h"

#include <string.h>

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_PARAM("outcome", SIM_CHOICE, .required = true, .choices = CHOICES("succeed", "fail")),
	SIM_END
};

QUERY(way_back, "SELECT return_url, client_secret FROM stripe_sim.challenge($1)");

ENDPOINT(authenticate) = {
	.method  = HTTP_POST,
	.path    = "/simulator/authenticate/{id}",
	.summary = "Finish or fail a 3-D Secure step",
	SIM_ENDPOINT,
	SIM_ID("The payment intent")
};

static bool
is_browser(struct req *rq)
{
	const char *accepts = req_header(rq, "HTTP_ACCEPT");

	return accepts != NULL && strstr(accepts, "text/html") != NULL;
}

static struct status
authenticate(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *back = db_one(rq, &way_back, in->id), *outcome;
	const char *url = row_text(back, "return_url");
	struct sim_call c;

	if (!sim_is_of_own_page(rq))
		return fail(rq, ERR_FORBIDDEN);
	if (!sim_read_call(rq, &c, SIM_ANYONE, params))
		return c.refusal;
	outcome = sim_execute(rq, &c, "authenticate_intent", in->id);
	if (url == NULL || row_int(outcome, "status") != 200 || !is_browser(rq))
		return sim_answer(rq, &c, outcome);
	reply_header(rq, "Location", fmt(rq, "%s%cpayment_intent=%s"
	    "&payment_intent_client_secret=%s&redirect_status=%s",
	    url, strchr(url, '?') == NULL ? '?' : '&', in->id, row_text(back, "client_secret"),
	    strstr(c.params, "succeed") != NULL ? "succeeded" : "failed"));
	return reply_bytes(rq, 303, "text/plain", "", 0);
}
