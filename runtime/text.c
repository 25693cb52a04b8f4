/*
 * Small text from the arena.
 */
#include "request.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *
fmt(struct req *rq, const char *format, ...)
{
	char line[256], *out;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(line))
		return arena_copy(&rq->arena, line, (size_t)n);
	out = arena_alloc(&rq->arena, (size_t)(n < 0 ? 0 : n) + 1);
	va_start(ap, format);
	vsnprintf(out, (size_t)(n < 0 ? 0 : n) + 1, format, ap);
	va_end(ap);
	return out;
}

size_t
put_number(char *to, int64_t n)
{
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
	char digits[20];
	size_t count = 0, length = 0;

	do
		digits[count++] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (n < 0)
		to[length++] = '-';
	while (count > 0)
		to[length++] = digits[--count];
	return length;
}

const char *
text(struct req *rq, int64_t n)
{
	char digits[NUMBER_ROOM];

	return arena_copy(&rq->arena, digits, put_number(digits, n));
}

bool
one_of_(const char *s, const char *const *list)
{
	for (; s != NULL && *list != NULL; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}
