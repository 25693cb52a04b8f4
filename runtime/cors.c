/*
 * Origins are compared whole, as browsers write them (RFC 6454, 6.2).  There
 * are no credentials to allow: who signs in sends a header, not a cookie.
 */
#include "cors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SETTING_TEXT(allowed_origins, "ALLOWED_ORIGINS", "",
    "Origins, separated by commas, whose pages may call from browsers (CORS)");

/* Anything else would never match, or, "null", match what nobody meant. */
static bool
is_origin(const char *s, size_t n)
{
	static const char *const schemes[] = { "https://", "http://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		size_t scheme = strlen(schemes[i]);

		if (n > scheme && strncmp(s, schemes[i], scheme) == 0)
			return strspn(s + scheme, "abcdefghijklmnopqrstuvwxyz"
			    "0123456789.-:[]") >= n - scheme;
	}
	return false;
}

/* The next of the setting's, from *at on; NULL after the last. */
static const char *
next_origin(const char **at, size_t *n)
{
	const char *origin = *at + strspn(*at, ", ");

	*n = strcspn(origin, ", ");
	*at = origin + *n;
	return *n == 0 ? NULL : origin;
}

STARTUP(check_origins)
{
	const char *at = allowed_origins.text, *origin;
	size_t n;

	while ((origin = next_origin(&at, &n)) != NULL) {
		if (is_origin(origin, n))
			continue;
		fprintf(stderr, "souk: ALLOWED_ORIGINS: \"%.*s\" is not an origin"
		    " such as https://shop.example or http://localhost:3000\n", (int)n, origin);
		return false;
	}
	return true;
}

bool
req_origin_is_allowed(struct req *rq)
{
	const char *at = allowed_origins.text, *origin;
	size_t n;

	if (rq->origin == NULL)
		return false;
	while ((origin = next_origin(&at, &n)) != NULL)
		if (strncmp(origin, rq->origin, n) == 0 && rq->origin[n] == '\0')
			return true;
	return false;
}

static bool
varies(const struct req *rq)
{
	for (const struct header *h = rq->headers; h != NULL; h = h->next)
		if (strcmp(h->name, "Vary") == 0)
			return true;
	return false;
}

void
cors_add(struct req *rq)
{
	if (!varies(rq))
		reply_header(rq, "Vary", "Origin");
	if (!req_origin_is_allowed(rq))
		return;
	reply_header(rq, "Access-Control-Allow-Origin", rq->origin);
	reply_header(rq, "Access-Control-Expose-Headers",
	    "ETag, Idempotent-Replayed, RateLimit-Limit, RateLimit-Remaining,"
	    " RateLimit-Reset, Retry-After, WWW-Authenticate, X-Cache,"
	    " X-Correlation-ID, X-Request-ID");
}
