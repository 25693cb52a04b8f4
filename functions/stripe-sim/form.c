/*
 * application/x-www-form-urlencoded, as Stripe's clients send it: names with
 * brackets, raw or encoded, and '+' for a space.
 */
#include "encoding.h"
#include "sim.h"

#include <string.h>

enum { MAX_PAIRS = 1000 };

/* NULL for a broken escape, a NUL or bytes that are not UTF-8. */
static const char *
decode(struct req *rq, const char *s, size_t n)
{
	const char *text = url_decode(rq, s, n, true);

	return text != NULL && utf8_is_valid(text) ? text : NULL;
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
