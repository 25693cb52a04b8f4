#include "multipart.h"

#include <string.h>
#include <strings.h>

struct scan {
	struct req *rq;
	const char *at, *end;
	char delimiter[4 + MAX_BOUNDARY];	/* CRLF, "--" and the boundary */
	size_t delimiter_length;
	const char *problem;
};

/* A stretch of the request. */
struct span { const char *at; size_t n; };

static bool
refuse(struct scan *s, const char *problem)
{
	s->problem = problem;
	return false;
}

static bool
span_is(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.at, word, s.n) == 0;
}

static bool
is_token_character(char c)
{
	return c > ' ' && c < 127 && strchr("()<>@,;:\\\"/[]?={}", c) == NULL;
}

static void
skip_blanks(struct span *s)
{
	while (s->n > 0 && (*s->at == ' ' || *s->at == '\t')) {
		s->at++;
		s->n--;
	}
}

static struct span
take(struct span *s, size_t n)
{
	struct span taken = { s->at, n };

	s->at += n;
	s->n -= n;
	return taken;
}

static struct span
take_token(struct span *s)
{
	size_t n = 0;

	while (n < s->n && is_token_character(s->at[n]))
		n++;
	return take(s, n);
}

/* Between its quotes and with its escapes, as sent; false: it does not end. */
static bool
take_quoted(struct span *s, struct span *value)
{
	size_t n = 1;

	while (n < s->n && s->at[n] != '"')
		n += s->at[n] == '\\' && n + 1 < s->n ? 2 : 1;
	if (n >= s->n)
		return false;
	*value = (struct span){ s->at + 1, n - 1 };
	take(s, n + 1);
	return true;
}

/* Some send a boundary with characters that belong in quotes without them. */
static struct span
take_unquoted(struct span *s)
{
	size_t n = 0;

	while (n < s->n && s->at[n] > ' ' && s->at[n] < 127 && strchr(";\"", s->at[n]) == NULL)
		n++;
	return take(s, n);
}

/* The next "; name=value" of a header; false at its end, and with *good false
 * where it makes no sense. */
static bool
next_parameter(struct span *rest, struct span *name, struct span *value, bool *good)
{
	skip_blanks(rest);
	*good = rest->n == 0;
	if (rest->n == 0 || *rest->at != ';')
		return false;
	take(rest, 1);
	skip_blanks(rest);
	if ((*good = rest->n == 0))	/* a semicolon too many */
		return false;
	*name = take_token(rest);
	if (name->n == 0 || rest->n == 0 || *rest->at != '=')
		return false;
	take(rest, 1);
	if (rest->n > 0 && *rest->at == '"')
		return take_quoted(rest, value);
	*value = take_unquoted(rest);
	return value->n > 0;
}

static bool
boundary_is_sound(struct span b)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789'()+_,-./:=? ";

	if (b.n == 0 || b.n > MAX_BOUNDARY || b.at[b.n - 1] == ' ')
		return false;
	for (size_t i = 0; i < b.n; i++)
		if (memchr(alphabet, b.at[i], sizeof(alphabet) - 1) == NULL)
			return false;
	return true;
}

static bool
read_boundary(struct scan *s, const char *content_type)
{
	struct span rest = { content_type, strlen(content_type) }, name, value;
	struct span boundary = { NULL, 0 };
	bool good;

	take(&rest, strcspn(content_type, ";"));
	while (next_parameter(&rest, &name, &value, &good)) {
		if (!span_is(name, "boundary"))
			continue;
		if (boundary.at != NULL)
			return refuse(s, "The Content-Type has two boundaries");
		boundary = value;
	}
	if (!good)
		return refuse(s, "The Content-Type is not well formed");
	if (boundary.at == NULL)
		return refuse(s, "The Content-Type has no boundary");
	if (!boundary_is_sound(boundary))
		return refuse(s, "The boundary must be 1 to 70 of the characters of RFC 2046");
	memcpy(s->delimiter, "\r\n--", 4);
	memcpy(s->delimiter + 4, boundary.at, boundary.n);
	s->delimiter_length = 4 + boundary.n;
	return true;
}

/* A name without its escapes; NULL for what cannot be one. */
static const char *
plain_name(struct req *rq, struct span s)
{
	char *name = arena_alloc(&rq->arena, s.n + 1), *to = name;

	for (size_t i = 0; i < s.n; i++) {
		if (s.at[i] == '\\' && i + 1 < s.n && strchr("\"\\", s.at[i + 1]) != NULL)
			i++;
		if ((unsigned char)s.at[i] < ' ' || s.at[i] == 127)
			return NULL;
		*to++ = s.at[i];
	}
	return to - name <= MAX_PART_NAME && utf8_is_valid(name) ? name : NULL;
}

/* form-data; name="..."; filename="..." */
static bool
read_disposition(struct scan *s, struct span rest, struct part *p)
{
	struct span name, value;
	bool good;

	if (p->name != NULL)
		return refuse(s, "A part has two Content-Dispositions");
	if (!span_is(take_token(&rest), "form-data"))
		return refuse(s, "A part's Content-Disposition must be form-data");
	while (next_parameter(&rest, &name, &value, &good)) {
		bool is_name = span_is(name, "name");
		const char **to = is_name ? &p->name : &p->file_name;

		/* filename* is not of this kind of form: RFC 7578, 4.2. */
		if (!is_name && !span_is(name, "filename"))
			continue;
		if (*to != NULL)
			return refuse(s, "A part's Content-Disposition says a thing twice");
		if ((*to = plain_name(s->rq, value)) == NULL)
			return refuse(s, "A part's name must be at most 255 bytes of visible UTF-8");
	}
	if (!good)
		return refuse(s, "A part's Content-Disposition is not well formed");
	return p->name != NULL || refuse(s, "A part has no name");
}

static bool
read_header(struct scan *s, struct span line, struct part *p)
{
	struct span name = take_token(&line);

	if (name.n == 0 || line.n == 0 || *line.at != ':')
		return refuse(s, "A part's header is not well formed");
	take(&line, 1);
	skip_blanks(&line);
	for (size_t i = 0; i < line.n; i++)
		if (((unsigned char)line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 127)
			return refuse(s, "A part's header holds a control character");
	if (span_is(name, "Content-Disposition"))
		return read_disposition(s, line, p);
	if (span_is(name, "Content-Transfer-Encoding") && !span_is(line, "binary") &&
	    !span_is(line, "8bit") && !span_is(line, "7bit"))
		return refuse(s, "A part must be sent as it is, without a transfer encoding");
	return true;
}

/* Up to and with the empty line. */
static bool
read_headers(struct scan *s, struct part *p)
{
	size_t left = (size_t)(s->end - s->at);
	const char *limit = s->at + (left < MAX_PART_HEADERS ? left : MAX_PART_HEADERS);

	for (;;) {
		const char *end = memmem(s->at, (size_t)(limit - s->at), "\r\n", 2);

		if (end == NULL)
			return refuse(s, limit == s->end ? "The body ends within a part's headers"
			    : "A part's headers are too long");
		if (end == s->at)
			break;
		if (!read_header(s, (struct span){ s->at, (size_t)(end - s->at) }, p))
			return false;
		s->at = end + 2;
	}
	s->at += 2;
	return p->name != NULL || refuse(s, "A part has no Content-Disposition");
}

/* What follows a boundary: "--" and *last, or the end of its line. */
static bool
end_delimiter(struct scan *s, bool *last)
{
	*last = s->end - s->at >= 2 && memcmp(s->at, "--", 2) == 0;
	if (*last) {
		for (s->at += 2; s->at < s->end; s->at++)
			if (memchr(" \t\r\n", *s->at, 4) == NULL)
				return refuse(s, "Something follows the last boundary");
		return true;
	}
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
		s->at++;
	if (s->end - s->at < 2 || memcmp(s->at, "\r\n", 2) != 0)
		return refuse(s, "A boundary does not end its line");
	s->at += 2;
	return true;
}

static bool
read_part(struct scan *s, struct part *p, bool *last)
{
	const char *delimiter;

	*p = (struct part){ .name = NULL };
	if (!read_headers(s, p))
		return false;
	/* An empty part may do with the empty line's own CRLF. */
	delimiter = memmem(s->at - 2, (size_t)(s->end - s->at) + 2, s->delimiter,
	    s->delimiter_length);
	if (delimiter == NULL)
		return refuse(s, "The body ends before its last boundary");
	p->bytes = s->at;
	p->length = delimiter < s->at ? 0 : (size_t)(delimiter - s->at);
	s->at = delimiter + s->delimiter_length;
	return end_delimiter(s, last);
}

static bool
read_all(struct scan *s, struct part parts[MAX_PARTS], size_t *count)
{
	bool last;

	/* The first has no line before it to end. */
	if ((size_t)(s->end - s->at) < s->delimiter_length - 2 ||
	    memcmp(s->at, s->delimiter + 2, s->delimiter_length - 2) != 0)
		return refuse(s, "The body does not begin with its boundary");
	s->at += s->delimiter_length - 2;
	if (!end_delimiter(s, &last))
		return false;
	for (*count = 0; !last; ++*count) {
		if (*count == MAX_PARTS)
			return refuse(s, "The body has too many parts");
		if (!read_part(s, &parts[*count], &last))
			return false;
	}
	return true;
}

bool
multipart_parse(struct req *rq, const char *content_type, const char *body, size_t n,
    struct part parts[MAX_PARTS], size_t *count, const char **problem)
{
	struct scan s = { .rq = rq, .at = body, .end = body + n };

	if (read_boundary(&s, content_type) && read_all(&s, parts, count))
		return true;
	*problem = s.problem;
	return false;
}
