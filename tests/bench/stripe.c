/*
 * POST /v1/payment_intents
 *
 * A Stripe that answers at once and remembers nothing, so that an order's own
 * cost can be told from its payment provider's.
 */
#include "fn.h"

#include <inttypes.h>
#include <unistd.h>

ENDPOINT(create_intent) = {
	.method   = HTTP_POST,
	.path     = "/v1/payment_intents",
	.summary  = "A payment intent",
	.access   = ACCESS_PUBLIC,
	.rate     = RATE_NONE,
	.raw_body = true,
	.repeatable = "It remembers nothing",
};

static struct status
create_intent(struct req *rq)
{
	const char *id = fmt(rq, "pi_bench%" PRIx64 "x%ld", now_us(), (long)getpid());

	return reply_json(rq, 200, fmt(rq, "{\"id\":\"%s\",\"object\":\"payment_intent\","
	    "\"client_secret\":\"%s_secret_bench\",\"status\":\"requires_payment_method\"}",
	    id, id));
}
