#include "encoding.h"
#include "request.h"

#include <string.h>

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

char *
url_decode(struct req *rq, const char *s, size_t n, bool plus_is_space)
{
	char *out = arena_alloc(&rq->arena, n + 1), *to = out;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			int high = n - i > 2 ? hex_value(s[i + 1]) : -1;
			int low = n - i > 2 ? hex_value(s[i + 2]) : -1;

			if (high < 0 || low < 0)
				return NULL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c == '\0')
			return NULL;
		*to++ = c;
	}
	*to = '\0';
	return out;
}

void
percent_decode(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		int high = *s == '%' ? hex_value(s[1]) : -1;
		int low = high < 0 ? -1 : hex_value(s[2]);

		*to++ = low < 0 ? *s : (char)(high << 4 | low);
		s += low < 0 ? 0 : 2;
	}
	*to = '\0';
}

size_t
utf8_length(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
	    s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (length == 0 || length > n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

size_t
utf8_prefix(const char *s, size_t most)
{
	size_t n = 0, end = strnlen(s, most);

	while (n < end) {
		size_t length = utf8_length((const unsigned char *)s + n, end - n);

		if (length == 0)
			break;
		n += length;
	}
	return n;
}

bool
utf8_is_valid(const char *s)
{
	return s[utf8_prefix(s, SIZE_MAX)] == '\0';
}

size_t
json_plain(const char *s, size_t most)
{
	size_t n = 0;

	while (n < most) {
		unsigned char c = (unsigned char)s[n];
		size_t length = c >= 0x80 ? utf8_length((const unsigned char *)s + n, 4)
		    : c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;

		if (length == 0 || length > most - n)
			break;
		n += length;
	}
	return n;
}
