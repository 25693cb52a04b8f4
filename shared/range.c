#include "range.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Digits as a number, what is too large as the largest; false without any. */
static int
number(const char **at, size_t *n)
{
	const char *start = *at;

	for (*n = 0; **at >= '0' && **at <= '9'; ++*at)
		*n = *n > (SIZE_MAX - 9) / 10 ? SIZE_MAX : *n * 10 + (size_t)(**at - '0');
	return *at > start;
}

enum range
range_of(const char *header, size_t length, size_t *from, size_t *count)
{
	size_t first = 0, last = SIZE_MAX;
	int has_first, has_last;

	if (header == NULL || strncasecmp(header, "bytes=", 6) != 0)
		return RANGE_ALL;
	header += 6;
	has_first = number(&header, &first);
	if (*header++ != '-')
		return RANGE_ALL;
	has_last = number(&header, &last);
	if (*header != '\0' || (!has_first && !has_last) ||
	    (has_first && has_last && last < first))
		return RANGE_ALL;
	if (has_first ? first >= length : last == 0 || length == 0)
		return RANGE_NOWHERE;
	*from = has_first ? first : last < length ? length - last : 0;
	*count = length - *from;
	if (has_first && has_last && last - first < *count)
		*count = last - first + 1;
	return RANGE_PART;
}

struct status
range_refuse(struct req *rq, size_t length)
{
	reply_header(rq, "Content-Range", fmt(rq, "bytes */%zu", length));
	return fail(rq, ERR_RANGE_NOT_SATISFIABLE);
}

struct status
range_reply(struct req *rq, const char *etag, const char *type, const char *bytes,
    size_t length)
{
	const char *known = req_header(rq, "HTTP_IF_NONE_MATCH");
	const char *only_of = req_header(rq, "HTTP_IF_RANGE");
	bool is_known = known != NULL && (strstr(known, etag) != NULL || strcmp(known, "*") == 0);
	enum range range = RANGE_ALL;
	size_t from = 0, count = length;

	if (!is_known && (only_of == NULL || strcmp(only_of, etag) == 0))
		range = range_of(req_header(rq, "HTTP_RANGE"), length, &from, &count);
	if (range == RANGE_NOWHERE)
		return range_refuse(rq, length);
	reply_header(rq, "ETag", etag);
	reply_header(rq, "Accept-Ranges", "bytes");
	reply_header(rq, "Cache-Control", FOR_EVER);
	if (range == RANGE_PART)
		reply_header(rq, "Content-Range",
		    fmt(rq, "bytes %zu-%zu/%zu", from, from + count - 1, length));
	return reply_bytes(rq, is_known ? 304 : range == RANGE_PART ? 206 : 200, type,
	    bytes + from, count);
}
