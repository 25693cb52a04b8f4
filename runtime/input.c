/*
 * The declared fields, from path, query and body into the endpoint's struct
 * input.  Nothing undeclared gets through, and every bad field is named at
 * once.
 */
#include "check.h"
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct parameter { const char *name, *value; };

static void
store(struct req *rq, const struct field *f, const char *value)
{
	char *member_at = (char *)rq->input + f->offset;

	if (f->type == T_INT)
		*(int64_t *)(void *)member_at = value == NULL ? f->preset : strtoll(value, NULL, 10);
	else
		*(const char **)(void *)member_at = value;
}

/* "a=1&b=2" into a table; names and values decoded. */
static size_t
split_pairs(struct req *rq, const char *s, size_t n, struct parameter *table)
{
	const char *end = s + n;
	size_t count = 0;

	while (s < end) {
		const char *stop = memchr(s, '&', (size_t)(end - s)), *equals;
		struct parameter *p = &table[count];

		stop = stop == NULL ? end : stop;
		equals = memchr(s, '=', (size_t)(stop - s));
		equals = equals == NULL ? stop : equals;
		if (stop > s && count == MAX_PARAMETERS) {
			fail_text(rq, ERR_MALFORMED, "There are too many parameters");
			return 0;
		}
		if (stop > s) {
			p->name = url_decode(rq, s, (size_t)(equals - s), true);
			p->value = equals == stop ? ""
			    : url_decode(rq, equals + 1, (size_t)(stop - equals - 1), true);
			if (p->name == NULL || p->value == NULL) {
				fail_text(rq, ERR_MALFORMED, "A parameter is not encoded well");
				return 0;
			}
			count++;
		}
		s = stop + 1;
	}
	return count;
}

/* The one value of a parameter; NULL when it is absent or empty. */
static const char *
parameter_value(struct req *rq, struct parameter *table, size_t n, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(table[i].name, name) != 0)
			continue;
		if (value != NULL)
			fail_field(rq, name, "duplicate", "Stands there twice");
		if (!utf8_is_valid(table[i].value)) {
			fail_field(rq, name, "format", "Must be valid UTF-8");
			return NULL;
		}
		value = table[i].value;
	}
	return value == NULL || *value == '\0' ? NULL : value;
}

static bool
wants_body(const struct endpoint *e)
{
	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++)
		if (f->where == F_BODY)
			return true;
	return false;
}

static bool
media_type_is(const char *content_type, const char *wanted)
{
	size_t n = strlen(wanted);

	return content_type != NULL && strncasecmp(content_type, wanted, n) == 0 &&
	    (content_type[n] == '\0' || content_type[n] == ';' || content_type[n] == ' ');
}

/* NULL when there is none, or when a refusal has been decided. */
static cJSON *
json_body(struct req *rq)
{
	const char *problem;
	cJSON *root;

	if (rq->in.body_length == 0)
		return NULL;
	if (!media_type_is(rq->content_type, "application/json")) {
		fail_text(rq, ERR_UNSUPPORTED_MEDIA_TYPE, "Send application/json");
		return NULL;
	}
	root = body_parse(rq, rq->in.body, rq->in.body_length, &problem);
	if (root == NULL)
		fail_text(rq, ERR_MALFORMED, "%s", problem);
	else if (!cJSON_IsObject(root))
		fail_text(rq, ERR_MALFORMED, "The body must be a JSON object");
	return root;
}

static void
read_field(struct req *rq, const struct field *f, size_t index, struct value v, bool sent)
{
	const char *value = NULL;

	if (sent)
		rq->present |= UINT64_C(1) << index;
	if (v.text != NULL || v.node != NULL)
		value = check_value(rq, f, f->name, v);
	else if (f->required)
		fail_field(rq, f->name, "required", "Is required");
	store(rq, f, value);
	if (f->where != F_BODY && value != NULL)
		rq->cache_text = fmt(rq, "%s&%s=%s", rq->cache_text, f->name, value);
}

/* A path that names nothing that can exist is 404, not a bad request. */
static bool
read_path_field(struct req *rq, const struct field *f, const char *value)
{
	struct value v = { .text = value };

	if (!utf8_is_valid(value) || (f->type == T_ID && (strlen(value) > 19 ||
	    strspn(value, "0123456789") != strlen(value) || value[0] == '0')) ||
	    check_value(rq, f, f->name, v) == NULL) {
		reply_clear(rq);
		fail(rq, ERR_NOT_FOUND);
		return false;
	}
	store(rq, f, value);
	rq->cache_text = fmt(rq, "%s&%s=%s", rq->cache_text, f->name, value);
	return true;
}

void
input_read(struct req *rq)
{
	const struct endpoint *e = rq->entry->endpoint;
	struct parameter query[MAX_PARAMETERS], *form = NULL;
	size_t queries, forms = 0, paths = 0, size = 0;
	cJSON *body = NULL;

	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++)
		size = f->offset + sizeof(int64_t) > size ? f->offset + sizeof(int64_t) : size;
	rq->input = mem(rq, size + 1);
	rq->cache_text = "";
	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++)
		if (f->where == F_PATH && !read_path_field(rq, f, rq->path_values[paths++]))
			return;
	if (rq->in.too_large) {
		fail(rq, ERR_BODY_TOO_LARGE);
		return;
	}
	if (rq->in.cut_short) {
		fail_text(rq, ERR_MALFORMED, "The body is shorter than its Content-Length");
		return;
	}
	queries = split_pairs(rq, rq->query_string, strlen(rq->query_string), query);
	if (e->form) {
		form = mem(rq, sizeof(*form) * MAX_PARAMETERS);
		forms = split_pairs(rq, rq->in.body, rq->in.body_length, form);
	} else if (!e->raw_body && (e->method != HTTP_GET || wants_body(e))) {
		body = json_body(rq);
	}
	if (rq->decided)
		return;

	if (body != NULL)
		check_unknown(rq, e->input, body, "");
	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++) {
		size_t index = (size_t)(f - e->input);
		struct value v = { 0 };

		if (f->where == F_QUERY) {
			v.text = parameter_value(rq, query, queries, f->name);
			read_field(rq, f, index, v, v.text != NULL);
		} else if (f->where == F_BODY && e->form) {
			v.text = parameter_value(rq, form, forms, f->name);
			read_field(rq, f, index, v, v.text != NULL);
		} else if (f->where == F_BODY && !e->raw_body) {
			v.node = body == NULL ? NULL : check_member(body, f->name);
			read_field(rq, f, index, v, body != NULL &&
			    cJSON_GetObjectItemCaseSensitive(body, f->name) != NULL);
		}
	}
}

bool
req_has_(struct req *rq, size_t offset)
{
	const struct field *fields = rq->entry->endpoint->input;

	for (const struct field *f = fields; f != NULL && f->where != F_END; f++)
		if (f->offset == offset)
			return rq->present >> (f - fields) & 1;
	return false;
}
