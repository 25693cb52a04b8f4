/*
 * GET /bench/nothing
 *
 * What the runtime itself costs.
 */
#include "fn.h"

ENDPOINT(do_nothing) = {
	.method  = HTTP_GET,
	.path    = "/bench/nothing",
	.summary = "Do nothing",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
};

static struct status
do_nothing(struct req *rq)
{
	return reply_json(rq, 200, "{}");
}
