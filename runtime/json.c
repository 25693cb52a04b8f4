/*
 * Writes JSON that cannot be ill-formed: commas and quotes are the writer's,
 * and a key in an array or a value without its key is a bug caught at once.
 */
#include "json.h"
#include "request.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 16 };

struct json {
	struct req *rq;
	char *bytes;
	size_t length, room;
	char brackets[MAX_DEPTH];
	bool filled[MAX_DEPTH];		/* something stands before a comma */
	bool keyed;			/* a key waits for its value */
	int depth;
};

static void
put(struct json *j, const char *s, size_t n)
{
	if (j->room - j->length <= n) {
		size_t room = (j->room + n) * 2;
		char *larger = arena_alloc(&j->rq->arena, room);

		memcpy(larger, j->bytes, j->length);
		j->bytes = larger;
		j->room = room;
	}
	memcpy(j->bytes + j->length, s, n);
	j->length += n;
	j->bytes[j->length] = '\0';
}

/* What is no text is written as U+FFFD, so that the document stays JSON. */
static void
put_quoted(struct json *j, const char *s)
{
	put(j, "\"", 1);
	while (*s != '\0') {
		size_t plain = json_plain(s, SIZE_MAX);
		unsigned char c;

		put(j, s, plain);
		s += plain;
		c = (unsigned char)*s;
		if (c == '"' || c == '\\') {
			put(j, (char[]){ '\\', *s++ }, 2);
		} else if (c != '\0') {
			char escape[7];

			snprintf(escape, sizeof(escape), "\\u%04x", c < 0x80 ? c : 0xfffdu);
			put(j, escape, 6);
			s++;
		}
	}
	put(j, "\"", 1);
}

/* What comes before a value: its comma, where one is due. */
static void
begin_value(struct json *j)
{
	assert(j->depth == 0 || j->keyed == (j->brackets[j->depth - 1] == '{'));
	if (j->keyed) {
		j->keyed = false;
		return;
	}
	if (j->depth > 0 && j->filled[j->depth - 1])
		put(j, ",", 1);
	if (j->depth > 0)
		j->filled[j->depth - 1] = true;
}

struct json *
json_new(struct req *rq)
{
	struct json *j = mem(rq, sizeof(*j));

	j->rq = rq;
	j->room = 512;
	j->bytes = mem(rq, j->room);
	return j;
}

void
json_open(struct json *j, char bracket)
{
	assert(j->depth < MAX_DEPTH && (bracket == '{' || bracket == '['));
	begin_value(j);
	put(j, &bracket, 1);
	j->brackets[j->depth] = bracket;
	j->filled[j->depth++] = false;
}

void
json_close(struct json *j)
{
	assert(j->depth > 0 && !j->keyed);
	put(j, j->brackets[--j->depth] == '{' ? "}" : "]", 1);
}

void
json_key(struct json *j, const char *key)
{
	assert(j->depth > 0 && j->brackets[j->depth - 1] == '{' && !j->keyed);
	if (j->filled[j->depth - 1])
		put(j, ",", 1);
	j->filled[j->depth - 1] = true;
	put_quoted(j, key);
	put(j, ":", 1);
	j->keyed = true;
}

void
json_string(struct json *j, const char *s)
{
	begin_value(j);
	if (s == NULL)
		put(j, "null", 4);
	else
		put_quoted(j, s);
}

void
json_int(struct json *j, int64_t n)
{
	char digits[24];

	begin_value(j);
	put(j, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRId64, n));
}

void
json_bool(struct json *j, bool b)
{
	begin_value(j);
	put(j, b ? "true" : "false", b ? 4 : 5);
}

void
json_raw(struct json *j, const char *text)
{
	begin_value(j);
	put(j, text, strlen(text));
}

const char *
json_text(struct json *j)
{
	while (j->depth > 0)
		json_close(j);
	return j->bytes;
}

void
json_member(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_string(j, value);
}
