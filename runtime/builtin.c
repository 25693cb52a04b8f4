#include "builtin.h"
#include "db.h"

#include <string.h>

#pragma weak db_ping
#pragma weak db_begin

/* Whoever comes through the gateway finds endpoints, and nothing else. */
static bool
path_is(struct req *rq, const char *name)
{
	return rq->segment_count == 1 && strcmp(rq->segments[0], name) == 0 &&
	    one_of(rq->method, "GET", "HEAD") && req_header(rq, "SOUK_GATEWAY") == NULL;
}

/* What comes through the gateway, which says so, is no probe of this function. */
static bool
is_from_gateway(struct req *rq)
{
	return req_header(rq, "SOUK_ALLOW") != NULL;
}

/* The gateway's own /health is an endpoint like any other. */
static bool
endpoint_has(const char *path)
{
	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++)
		if (strcmp((*at)->endpoint->path, path) == 0)
			return true;
	return false;
}

bool
builtin_answers(struct req *rq)
{
	if (path_is(rq, "health") && !endpoint_has("/health")) {
		reply_json(rq, 200, "{\"status\":\"healthy\"}");
		return true;
	}
	if (path_is(rq, "ready") && !is_from_gateway(rq)) {
		if (db_ping != NULL) {
			db_begin(rq, true);
			db_ping(rq);
		}
		reply_json(rq, 200, "{\"status\":\"ready\"}");
		return true;
	}
	return false;
}
