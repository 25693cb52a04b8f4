/*
 * Only what anybody may read is compressed.  In a compressed answer that has a
 * secret and something of an attacker's in it, the length tells of the secret.
 *
 * The compressed form is another representation and has an entity tag of its
 * own, "...-gzip"; a client that has either has the answer.
 */
#include "represent.h"

#include "etag.h"
#include "kept.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#pragma weak gzip

enum { WORTH_IT = 1024 };	/* less is a packet either way */

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
client_has(const char *list, const char *etag)
{
	const char *each;
	size_t n;

	while (list != NULL && (each = element(list, &n, &list)) != NULL) {
		size_t weak = n > 2 && strncmp(each, "W/", 2) == 0 ? 2 : 0;

		if ((n == 1 && *each == '*') || etag_is(each + weak, n - weak, etag))
			return true;
	}
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

/* What is cached for others is made for this caller apart. */
static bool
is_for_them_only(struct req *rq)
{
	enum access private_for = rq->entry->endpoint->cache.private_for;

	return private_for != ACCESS_UNSET && req_is(rq, private_for);
}

void
represent(struct req *rq, const char *etag)
{
	const struct endpoint *e = rq->entry->endpoint;
	bool known = client_has(rq->if_none_match, etag), theirs = is_for_them_only(rq);

	if (gzip != NULL && !theirs && rq->body_out_length >= WORTH_IT && takes_gzip(rq) &&
	    (known || encode(rq, etag)))
		etag = fmt(rq, "%.*s" ETAG_CODED "\"", (int)strlen(etag) - 1, etag);
	reply_header(rq, "ETag", etag);
	if (!theirs)		/* else it is no-store */
		reply_header(rq, "Cache-Control", fmt(rq, "public, max-age=%d", e->cache.seconds));
	reply_header(rq, "Vary", e->cache.private_for == ACCESS_UNSET
	    ? "Accept-Encoding, Origin" : "Accept-Encoding, Authorization, Origin");
	reply_header(rq, "X-Cache", rq->cache_state);
	if (known) {
		rq->status = 304;
		rq->body_out_length = 0;
	}
}
