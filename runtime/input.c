/*
 * The declared fields, from path, query and body into the endpoint's struct
 * input.  Nothing undeclared gets through, and every bad field is named at
 * once.
 */
#include "check.h"
#include "multipart.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A field of a multipart body is text that is looked at, not a file. */
enum { MAX_PART_TEXT = 64 << 10 };

struct parameter { const char *name, *value; };

static void
store(struct req *rq, const struct field *f, const void *value)
{
	char *member_at = (char *)rq->input + f->offset;

	if (f->type == T_INT)
		*(int64_t *)(void *)member_at = value == NULL ? f->preset : strtoll(value, NULL, 10);
	else
		*(const void **)(void *)member_at = value;
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

/* With its length, so that no value reads like two: who could write down
 * another's inputs could leave them another answer in the cache. */
static void
add_to_cache_text(struct req *rq, const struct field *f, const char *value)
{
	rq->cache_text = fmt(rq, "%s&%s=%zu:%s", rq->cache_text, f->name, strlen(value), value);
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
	else if (sent && f->not_null)
		fail_field(rq, f->name, "required", "Must not be null");
	store(rq, f, value);
	if (f->where != F_BODY && value != NULL)
		add_to_cache_text(rq, f, value);
}

/* The parts of a form with files.  A file that is too long is a body that is. */
static size_t
multipart_body(struct req *rq, struct part *parts)
{
	const struct field *f, *fields = rq->entry->endpoint->input;
	const char *problem;
	size_t n = 0;

	if (rq->in.body_length == 0)
		return 0;
	if (!media_type_is(rq->content_type, "multipart/form-data")) {
		fail_text(rq, ERR_UNSUPPORTED_MEDIA_TYPE, "Send multipart/form-data");
		return 0;
	}
	if (!multipart_parse(rq, rq->content_type, rq->in.body, rq->in.body_length, parts, &n,
	    &problem)) {
		fail_text(rq, ERR_MALFORMED, "%s", problem);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if ((f = check_find(fields, F_BODY, parts[i].name)) != NULL &&
		    f->type == T_FILE && parts[i].length > (size_t)f->max)
			fail_text(rq, ERR_BODY_TOO_LARGE, "%s must have at most %" PRId64
			    " bytes", f->name, f->max);
	return n;
}

/* NULL after naming what is wrong with it. */
static const char *
part_text(struct req *rq, const struct field *f, const struct part *p)
{
	const char *s = arena_copy(&rq->arena, p->bytes,
	    p->length < MAX_PART_TEXT ? p->length : MAX_PART_TEXT);

	if (p->file_name != NULL)
		fail_field(rq, f->name, "type", "Must not be a file");
	else if (p->length > MAX_PART_TEXT)
		fail_field(rq, f->name, "too_long", "Is too long");
	else if (strlen(s) < p->length || !utf8_is_valid(s))
		fail_field(rq, f->name, "format", "Must be valid UTF-8 without a NUL");
	else
		return s;
	return NULL;
}

static const struct file *
part_file(struct req *rq, const struct field *f, const struct part *p)
{
	struct file *file = mem(rq, sizeof(*file));

	*file = (struct file){ p->bytes, p->length, p->file_name };
	if (p->file_name == NULL)
		fail_field(rq, f->name, "type", "Must be a file");
	else if (p->length == 0)
		fail_field(rq, f->name, "too_short", "Must not be empty");
	else if (p->length < (size_t)f->min)
		fail_field(rq, f->name, "too_short",
		    fmt(rq, "Must have at least %" PRId64 " bytes", f->min));
	else
		return file;
	return NULL;
}

/* A form on which no file was chosen sends one without a name or bytes. */
static bool
is_blank(const struct part *p)
{
	return p->length == 0 && (p->file_name == NULL || *p->file_name == '\0');
}

static void
read_part(struct req *rq, const struct field *f, size_t index, const struct part *parts,
    size_t n)
{
	const struct part *p = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(parts[i].name, f->name) != 0)
			continue;
		if (p != NULL) {
			fail_field(rq, f->name, "duplicate", "Stands there twice");
			return;
		}
		p = &parts[i];
	}
	if (p == NULL || is_blank(p)) {
		read_field(rq, f, index, (struct value){ 0 }, p != NULL);
	} else if (f->type == T_FILE) {
		rq->present |= UINT64_C(1) << index;
		store(rq, f, part_file(rq, f, p));
	} else {
		struct value v = { .text = part_text(rq, f, p) };

		if (v.text != NULL)
			read_field(rq, f, index, v, true);
	}
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
	add_to_cache_text(rq, f, value);
	return true;
}

void
input_read(struct req *rq)
{
	const struct endpoint *e = rq->entry->endpoint;
	struct parameter query[MAX_PARAMETERS], *form = NULL;
	size_t queries, forms = 0, part_count = 0, paths = 0, size = 0;
	struct part *parts = NULL;
	cJSON *body = NULL;

	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++)
		size = f->offset + sizeof(int64_t) > size ? f->offset + sizeof(int64_t) : size;
	rq->input = mem(rq, size + 1);
	rq->cache_text = "";
	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++)
		if (f->where == F_PATH && !read_path_field(rq, f, rq->path_values[paths++]))
			return;
	if (rq->in.too_large || rq->in.body_length > request_body_limit(e)) {
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
	} else if (e->multipart) {
		parts = mem(rq, sizeof(*parts) * MAX_PARTS);
		part_count = multipart_body(rq, parts);
	} else if (!e->raw_body && !e->event && (e->method != HTTP_GET || wants_body(e))) {
		body = json_body(rq);
	}
	if (rq->decided)
		return;

	if (body != NULL)
		check_unknown(rq, e->input, body, "");
	for (size_t i = 0; i < part_count; i++)
		if (check_find(e->input, F_BODY, parts[i].name) == NULL)
			fail_field(rq, body_excerpt(rq, parts[i].name), "unknown",
			    "There is no such field");
	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++) {
		size_t index = (size_t)(f - e->input);
		struct value v = { 0 };

		if (f->where == F_QUERY) {
			v.text = parameter_value(rq, query, queries, f->name);
			read_field(rq, f, index, v, v.text != NULL);
		} else if (f->where == F_BODY && e->form) {
			v.text = parameter_value(rq, form, forms, f->name);
			read_field(rq, f, index, v, v.text != NULL);
		} else if (f->where == F_BODY && e->multipart) {
			read_part(rq, f, index, parts, part_count);
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
