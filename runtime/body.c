#include "body.h"

#include <string.h>

struct scan {
	const char *at, *end;
	struct req *rq;
	const char **numbers;		/* in the order of the document */
	size_t number_count, value_count;
	int depth;
	const char *problem;
};

const char *
body_excerpt(struct req *rq, const char *s)
{
	return arena_copy(&rq->arena, s, utf8_prefix(s, MAX_EXCERPT));
}

static bool
refuse(struct scan *s, const char *problem)
{
	s->problem = problem;
	return false;
}

/* The length of an escape, 0 when it is not one: cJSON takes \uZZZZ for a NUL. */
static size_t
escape_length(const char *at, const char *end)
{
	static const char hex[] = "0123456789abcdefABCDEF";

	if (end - at < 2 || memchr("\"\\/bfnrtu", at[1], 9) == NULL)
		return 0;
	if (at[1] != 'u')
		return 2;
	for (int i = 2; i < 6; i++)
		if (end - at <= i || memchr(hex, at[i], sizeof(hex) - 1) == NULL)
			return 0;
	return 6;
}

static bool
scan_string(struct scan *s)
{
	for (s->at++; s->at < s->end; ) {
		size_t n = utf8_length((const unsigned char *)s->at, (size_t)(s->end - s->at));

		if (n == 0)
			return refuse(s, "The body is not valid UTF-8");
		if ((unsigned char)*s->at < 0x20)
			return refuse(s, "A string holds an unescaped control character");
		if (*s->at == '"') {
			s->at++;
			return true;
		}
		if (*s->at == '\\') {
			n = escape_length(s->at, s->end);
			if (n == 0)
				return refuse(s, "The body is not valid JSON");
			if (n == 6 && memcmp(s->at, "\\u0000", 6) == 0)
				return refuse(s, "A string holds a NUL character");
		}
		s->at += n;
	}
	return refuse(s, "The body is not valid JSON");
}

static size_t
digits(const char *at, const char *end)
{
	size_t n = 0;

	while (at + n < end && at[n] >= '0' && at[n] <= '9')
		n++;
	return n;
}

/* RFC 8259, section 6. */
static bool
scan_number(struct scan *s)
{
	const char *start = s->at;
	size_t n;

	s->at += *s->at == '-';
	n = digits(s->at, s->end);
	if (n == 0 || (n > 1 && *s->at == '0'))
		return refuse(s, "A number is malformed");
	s->at += n;
	if (s->at < s->end && *s->at == '.') {
		if ((n = digits(++s->at, s->end)) == 0)
			return refuse(s, "A number is malformed");
		s->at += n;
	}
	if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		s->at++;
		s->at += s->at < s->end && (*s->at == '+' || *s->at == '-');
		if ((n = digits(s->at, s->end)) == 0)
			return refuse(s, "A number is malformed");
		s->at += n;
	}
	if (s->at - start > 64)
		return refuse(s, "A number has too many digits");
	s->numbers[s->number_count++] =
	    arena_copy(&s->rq->arena, start, (size_t)(s->at - start));
	return true;
}

static bool
scan_all(struct scan *s)
{
	while (s->at < s->end) {
		char c = *s->at;

		if (strchr(",:{[\"-0123456789tfn", c) != NULL && c != '\0' &&
		    ++s->value_count > 3 * MAX_JSON_VALUES)
			return refuse(s, "The body holds too many values");
		if (c == '{' || c == '[') {
			if (++s->depth > MAX_JSON_DEPTH)
				return refuse(s, "The body is nested too deeply");
			s->at++;
		} else if (c == '}' || c == ']') {
			s->depth--;
			s->at++;
		} else if (c == '"') {
			if (!scan_string(s))
				return false;
		} else if (c == '-' || (c >= '0' && c <= '9')) {
			if (s->number_count == MAX_JSON_VALUES)
				return refuse(s, "The body holds too many values");
			if (!scan_number(s))
				return false;
		} else if (strchr(" \t\r\n,:truefalsn", c) != NULL && c != '\0') {
			s->at++;
		} else {
			return refuse(s, "The body is not valid JSON");
		}
	}
	return true;
}

/* Gives each number its text back, and looks for a name used twice. */
static bool
settle(struct scan *s, cJSON *node)
{
	size_t members = 0;

	if (cJSON_IsNumber(node)) {
		node->valuestring = (char *)(uintptr_t)s->numbers[s->number_count++];
		return true;
	}
	for (cJSON *child = node->child; child != NULL; child = child->next) {
		if (child->string != NULL && ++members > MAX_JSON_MEMBERS)
			return refuse(s, "An object has too many members");
		for (cJSON *before = node->child; child->string != NULL && before != child;
		    before = before->next)
			if (strcmp(before->string, child->string) == 0)
				return refuse(s, fmt(s->rq, "The field \"%s\" stands there twice",
				    body_excerpt(s->rq, child->string)));
		if (!settle(s, child))
			return false;
	}
	return true;
}

static struct req *allocating_for;

static void *
allocate(size_t n)
{
	return arena_alloc(&allocating_for->arena, n);
}

static void
release(void *p)
{
	(void)p;		/* with the request */
}

cJSON *
body_parse(struct req *rq, const char *bytes, size_t n, const char **problem)
{
	struct scan s = { .at = bytes, .end = bytes + n, .rq = rq };
	const char *rest;
	cJSON *root;

	s.numbers = mem(rq, sizeof(char *) * (n / 2 + 1 < MAX_JSON_VALUES ? n / 2 + 1 : MAX_JSON_VALUES));
	if (!scan_all(&s)) {
		*problem = s.problem;
		return NULL;
	}
	allocating_for = rq;
	cJSON_InitHooks(&(cJSON_Hooks){ allocate, release });
	root = cJSON_ParseWithLengthOpts(arena_copy(&rq->arena, bytes, n), n + 1, &rest, true);
	if (root == NULL) {
		*problem = "The body is not valid JSON";
		return NULL;
	}
	s.number_count = 0;
	if (!settle(&s, root)) {
		*problem = s.problem;
		return NULL;
	}
	return root;
}
