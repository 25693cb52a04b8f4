/*
 * application/x-www-form-urlencoded, as Stripe's clients send it: names with
 * brackets, raw or encoded, and '+' for a space.
 */
#include "sim.h"

#include <string.h>

enum { MAX_PAIRS = 1000 };

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The length of the UTF-8 character at s, 0 when it is none.  RFC 3629. */
static size_t
character(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
	    s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static bool
is_text(const char *s)
{
	for (size_t n; *s != '\0'; s += n)
		if ((n = character((const unsigned char *)s)) == 0)
			return false;
	return true;
}

/* NULL for a broken escape, a NUL or bytes that are not UTF-8. */
static const char *
decode(struct req *rq, const char *s, size_t n)
{
	char *out = mem(rq, n + 1), *to = out;

	for (size_t i = 0; i < n; i++) {
		char c = s[i] == '+' ? ' ' : s[i];

		if (c == '%') {
			int high = n - i > 2 ? hex_value(s[i + 1]) : -1;
			int low = n - i > 2 ? hex_value(s[i + 2]) : -1;

			if (high < 0 || low < 0)
				return NULL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0')
			return NULL;
		*to++ = c;
	}
	return is_text(out) ? out : NULL;
}

static bool
add_pair(struct req *rq, struct sim_form *form, const char *s, size_t n)
{
	const char *equals = memchr(s, '=', n);
	size_t name = equals == NULL ? n : (size_t)(equals - s);
	struct sim_pair *pair = &form->pairs[form->count];

	if (form->count == MAX_PAIRS)
		return false;
	pair->name = decode(rq, s, name);
	pair->value = equals == NULL ? "" : decode(rq, equals + 1, n - name - 1);
	form->count++;
	return pair->name != NULL && pair->value != NULL;
}

/* Adds to what the form has already. */
bool
sim_read_form(struct req *rq, struct sim_form *form, const char *s, size_t n)
{
	const char *end = s + n;

	if (form->pairs == NULL)
		form->pairs = mem(rq, sizeof(*form->pairs) * MAX_PAIRS);
	while (s < end) {
		const char *stop = memchr(s, '&', (size_t)(end - s));

		stop = stop == NULL ? end : stop;
		if (stop > s && !add_pair(rq, form, s, (size_t)(stop - s)))
			return false;
		s = stop + 1;
	}
	return true;
}
