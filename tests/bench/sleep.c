/*
 * GET /bench/sleep?ms=N
 *
 * A function whose requests can be slow, to see what that does to the fast
 * ones beside them.
 */
#include "fn.h"

#include <time.h>

struct input {
	int64_t ms;
};

ENDPOINT(sleep_a_while) = {
	.method  = HTTP_GET,
	.path    = "/bench/sleep",
	.summary = "Take some time",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
	.waits   = true,
	.input   = FIELDS(
		PARAM(ms, INT, "How long to take", .min = 0, .max = 1000, .preset = 0)),
};

static struct status
sleep_a_while(struct req *rq)
{
	const struct input *in = req_input(rq);
	struct timespec t = { 0, in->ms * 1000000 };

	if (in->ms > 0)
		nanosleep(&t, NULL);
	return reply_json(rq, 200, "{}");
}
