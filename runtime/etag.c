#include "etag.h"
#include "request.h"

#include <inttypes.h>
#include <string.h>

const char *
etag_of(struct req *rq, const char *body, size_t length)
{
	uint64_t a = UINT64_C(14695981039346656037), b = a ^ length;

	for (size_t i = 0; i < length; i++) {
		a = (a ^ (unsigned char)body[i]) * UINT64_C(1099511628211);
		b = (b + (unsigned char)body[i]) * UINT64_C(0x9e3779b97f4a7c15);
	}
	return fmt(rq, "\"%016" PRIx64 "%08" PRIx32 "\"", a, (uint32_t)(b >> 32));
}

bool
etag_is(const char *given, size_t length, const char *etag)
{
	size_t n = strlen(etag), coded = sizeof(ETAG_CODED) - 1;

	if (length == n)
		return memcmp(given, etag, n) == 0;
	return length == n + coded && memcmp(given, etag, n - 1) == 0 &&
	    memcmp(given + n - 1, ETAG_CODED "\"", coded + 1) == 0;
}

bool
etag_match(const char *list, const char *etag)
{
	if (strcmp(list, "*") == 0)
		return true;
	while (*(list += strspn(list, " \t,")) != '\0') {
		bool weak = strncmp(list, "W/", 2) == 0;
		const char *tag = list + (weak ? 2 : 0);
		const char *end = *tag == '"' ? strchr(tag + 1, '"') : NULL;

		if (end == NULL)
			return false;	/* not a list of tags */
		if (!weak && etag_is(tag, (size_t)(end - tag) + 1, etag))
			return true;
		list = end + 1;
	}
	return false;
}
