/*
 * Small text from the arena.
 */
#include "request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *
fmt(struct req *rq, const char *format, ...)
{
	va_list ap;
	char *out;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	out = arena_alloc(&rq->arena, (size_t)(n < 0 ? 0 : n) + 1);
	va_start(ap, format);
	vsnprintf(out, (size_t)(n < 0 ? 0 : n) + 1, format, ap);
	va_end(ap);
	return out;
}

const char *
text(struct req *rq, int64_t n)
{
	return fmt(rq, "%" PRId64, n);
}

bool
one_of_(const char *s, const char *const *list)
{
	for (; s != NULL && *list != NULL; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}
