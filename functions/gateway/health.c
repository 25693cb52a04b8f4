/*
 * GET /health
 *
 * Liveness: whoever gets this answer has reached a working gateway.  Redis is
 * named but decides nothing, since everything goes on without it; what has to
 * work for the shop to work is asked by /health/all.
 */
#include "fn.h"
#include "clock.h"

ENDPOINT(show_health) = {
	.method  = HTTP_GET,
	.path    = "/health",
	.summary = "Whether the gateway is alive",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
	.output  = FIELDS(
		OUT(status,    STR,  "Always \"healthy\"", .example = "\"healthy\""),
		OUT(service,   STR,  "Who answers", .example = "\"gateway\""),
		OUT(timestamp, TIME, "When"),
		OUT(redis,     STR,  "\"up\" or \"down\"", .example = "\"up\"")),
};

static struct status
show_health(struct req *rq)
{
	struct json *j = json_new(rq);

	json_open(j, '{');
	json_key(j, "status");
	json_string(j, "healthy");
	json_key(j, "service");
	json_string(j, "gateway");
	json_key(j, "timestamp");
	json_string(j, timestamp(rq));
	json_key(j, "redis");
	json_string(j, redis_is_up(rq) ? "up" : "down");
	return reply_json(rq, 200, json_text(j));
}
