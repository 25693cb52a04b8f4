/*
 * POST /v1/events/{id}/retry
 *
 * The resend button of the dashboard, and `stripe events resend`: the same
 * event once more, to one endpoint or to each that listens for it.
 */
#include "sim.h"

struct input { const char *id; };

static const struct sim_param params[] = {
	SIM_PARAM("webhook_endpoint", SIM_TEXT, .max = 255),
	SIM_EXPAND,
	SIM_END
};

ENDPOINT(retry_event) = {
	.method  = HTTP_POST,
	.path    = "/v1/events/{id}/retry",
	.summary = "Send an event again",
	SIM_ENDPOINT,
	SIM_ID("The event")
};

static struct status
retry_event(struct req *rq)
{
	const struct input *in = req_input(rq);

	return sim_call(rq, SIM_SHOP, "retry_event", in->id, params);
}
