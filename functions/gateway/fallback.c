/*
 * Everything that no other function answers.
 *
 * The gateway's derived routes send here what they do not match, with the
 * methods of the path, where it is known, in SOUK_ALLOW.  Browsers' preflights
 * arrive the same way, since no endpoint has the method OPTIONS.
 */
#include "fn.h"

ENDPOINT(answer_unrouted) = {
	.method  = HTTP_GET,
	.path    = "/*",
	.summary = "404, 405 and answers to OPTIONS",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.errors  = ERRORS(ERR_NOT_FOUND, ERR_METHOD_NOT_ALLOWED),
};

/* That the origin may read the answer is said where it is said for every
 * answer, in the runtime. */
static void
add_preflight(struct req *rq, const char *allow)
{
	reply_header(rq, "Vary", "Origin, Access-Control-Request-Method");
	if (req_header(rq, "HTTP_ACCESS_CONTROL_REQUEST_METHOD") == NULL ||
	    !req_origin_is_allowed(rq))
		return;
	reply_header(rq, "Access-Control-Allow-Methods", allow);
	reply_header(rq, "Access-Control-Allow-Headers",
	    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match,"
	    " X-Correlation-ID, X-Request-ID, traceparent, tracestate");
	reply_header(rq, "Access-Control-Max-Age", "600");
}

static struct status
answer_unrouted(struct req *rq)
{
	const char *allow = req_header(rq, "SOUK_ALLOW");

	if (allow == NULL || *allow == '\0')
		return fail(rq, ERR_NOT_FOUND);
	reply_header(rq, "Allow", fmt(rq, "%s, OPTIONS", allow));
	if (!one_of(req_header(rq, "REQUEST_METHOD"), "OPTIONS"))
		return fail(rq, ERR_METHOD_NOT_ALLOWED);
	add_preflight(rq, allow);
	return reply_bytes(rq, 204, NULL, "", 0);
}
