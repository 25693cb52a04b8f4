/*
 * Only what anybody may read is compressed.  In a compressed answer that has a
 * secret and something of an attacker's in it, the length tells of the secret.
 *
 * The compressed form is another representation and has an entity tag of its
 * own, "...-gzip"; a client that has either has the answer.
 */
#include "represent.h"

#include "kept.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#pragma weak gzip

enum { WORTH_IT = 1024 };	/* less is a packet either way */
#define CODED	"-gzip"

const char *
represent_etag(struct req *rq)
{
	uint64_t a = UINT64_C(14695981039346656037), b = a ^ rq->body_out_length;

	for (size_t i = 0; i < rq->body_out_length; i++) {
		a = (a ^ (unsigned char)rq->body_out[i]) * UINT64_C(1099511628211);
		b = (b + (unsigned char)rq->body_out[i]) * UINT64_C(0x9e3779b97f4a7c15);
	}
	return fmt(rq, "\"%016" PRIx64 "%08" PRIx32 "\"", a, (uint32_t)(b >> 32));
}

/* One element of a comma-separated list; *rest is what follows it. */
static const char *
element(const char *list, size_t *n, const char **rest)
{
	list += strspn(list, ", \t");
	*n = strcspn(list, ",");
	*rest = list + *n;
	while (*n > 0 && strchr(" \t", list[*n - 1]) != NULL)
		--*n;
	return *n == 0 ? NULL : list;
}

/* Compared weakly (RFC 9110, 13.1.2), and with either form's tag. */
static bool
is_etag(const char *given, size_t n, const char *etag)
{
	size_t length = strlen(etag), coded = sizeof(CODED) - 1;

	if (n > 2 && strncmp(given, "W/", 2) == 0) {
		given += 2;
		n -= 2;
	}
	if (n == length)
		return memcmp(given, etag, n) == 0;
	return n == length + coded && memcmp(given, etag, length - 1) == 0 &&
	    memcmp(given + length - 1, CODED "\"", coded + 1) == 0;
}

static bool
client_has(const char *list, const char *etag)
{
	const char *each;
	size_t n;

	while (list != NULL && (each = element(list, &n, &list)) != NULL)
		if ((n == 1 && *each == '*') || is_etag(each, n, etag))
			return true;
	return false;
}

/* Whether Accept-Encoding lists that coding, and not with q=0. */
static int
accepts(const char *list, const char *coding)
{
	size_t length = strlen(coding), n;
	const char *each, *q;

	while ((each = element(list, &n, &list)) != NULL) {
		size_t name = strcspn(each, "; \t,");

		if (name != length || strncasecmp(each, coding, name) != 0)
			continue;
		q = memchr(each, '=', n);
		return q == NULL || strtod(q + 1, NULL) > 0;
	}
	return -1;
}

static bool
takes_gzip(struct req *rq)
{
	const char *list = req_header(rq, "HTTP_ACCEPT_ENCODING");
	int takes = list == NULL ? 0 : accepts(list, "gzip");

	return takes > 0 || (takes < 0 && accepts(list, "*") > 0);
}

/* False where it stays as it is. */
static bool
encode(struct req *rq, const char *etag)
{
	size_t n;
	const char *zipped = kept_gzip(rq, etag, &n);

	if (zipped == NULL)
		zipped = gzip(rq, rq->body_out, rq->body_out_length, &n);
	if (zipped == NULL)
		return false;
	rq->body_out = zipped;
	rq->body_out_length = n;
	reply_header(rq, "Content-Encoding", "gzip");
	return true;
}

void
represent(struct req *rq, const char *etag)
{
	const struct endpoint *e = rq->entry->endpoint;
	bool known = client_has(rq->if_none_match, etag);

	if (gzip != NULL && rq->body_out_length >= WORTH_IT && takes_gzip(rq) &&
	    (known || encode(rq, etag)))
		etag = fmt(rq, "%.*s" CODED "\"", (int)strlen(etag) - 1, etag);
	reply_header(rq, "ETag", etag);
	reply_header(rq, "Cache-Control", fmt(rq, "public, max-age=%d", e->cache.seconds));
	reply_header(rq, "Vary", e->cache.private_for == ACCESS_UNSET
	    ? "Accept-Encoding, Origin" : "Accept-Encoding, Authorization, Origin");
	reply_header(rq, "X-Cache", rq->cache_state);
	if (known) {
		rq->status = 304;
		rq->body_out_length = 0;
	}
}
