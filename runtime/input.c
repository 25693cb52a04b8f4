/*
 * The declared fields, from path, query and body into the endpoint's struct
 * input.  Nothing undeclared gets through, and every bad field is named at
 * once.
 */
#include "body.h"
#include "json.h"
#include "money.h"
#include "request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A value as it came: text of the path, query or form, or a node of the body. */
struct value {
	const char *text;
	const cJSON *node;
};

struct parameter { const char *name, *value; bool used; };

static const char *check(struct req *, const struct field *, const char *name,
    struct value);

static const char *
complain(struct req *rq, const char *name, const char *code, const char *message)
{
	fail_field(rq, name, code, message);
	return NULL;
}

static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static bool
blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

/* The text of a value that has one: any from outside the body, a string in it. */
static const char *
string_of(struct value v)
{
	return v.node == NULL ? v.text : cJSON_IsString(v.node) ? v.node->valuestring : NULL;
}

static const char *
check_string(struct req *rq, const struct field *f, const char *name, struct value v)
{
	const char *s = string_of(v);
	size_t n;

	if (s == NULL)
		return complain(rq, name, "type", "Must be a string");
	n = f->bytes ? strlen(s) : characters(s);
	if (n < (size_t)f->min || (f->min > 0 && !f->bytes && blank(s)))
		return complain(rq, name, "too_short", f->min > 1
		    ? fmt(rq, "Must have at least %" PRId64 " characters", f->min)
		    : "Must not be empty");
	if (f->max > 0 && n > (size_t)f->max)
		return complain(rq, name, "too_long", fmt(rq,
		    "Must have at most %" PRId64 " %s", f->max, f->bytes ? "bytes" : "characters"));
	return s;
}

static bool
is_email(const char *s)
{
	const char *at = strchr(s, '@');
	size_t n = strlen(s);

	if (at == NULL || at == s || at - s > 64 || n > 254 || strchr(at + 1, '@') != NULL)
		return false;
	for (const char *c = s; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 127 || strchr("\"(),:;<>[\\]", *c) != NULL)
			return false;
	return strchr(at, '.') != NULL && at[1] != '.' && s[n - 1] != '.' &&
	    strstr(at, "..") == NULL;
}

static const char *
check_email(struct req *rq, const char *name, struct value v)
{
	const char *s = string_of(v);
	char *lower;
	size_t n;

	if (s == NULL)
		return complain(rq, name, "type", "Must be a string");
	s += strspn(s, " \t\r\n");
	n = strlen(s);
	while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL)
		n--;
	lower = arena_copy(&rq->arena, s, n);
	for (char *c = lower; *c != '\0'; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	if (!is_email(lower))
		return complain(rq, name, "format", "Must be an e-mail address");
	return lower;
}

static const char *
check_choice(struct req *rq, const struct field *f, const char *name, struct value v)
{
	const char *s = string_of(v), *list = "";

	if (s != NULL && one_of_(s, f->choices))
		return s;
	for (const char *const *c = f->choices; *c != NULL; c++)
		list = fmt(rq, "%s%s%s", list, *list == '\0' ? "" : ", ", *c);
	return complain(rq, name, "choice", fmt(rq, "Must be one of %s", list));
}

/* The digits of a whole number as it was written; NULL for anything else. */
static const char *
integer_text(struct value v)
{
	const char *s = v.node == NULL ? v.text :
	    cJSON_IsNumber(v.node) ? v.node->valuestring : NULL;
	size_t n;

	if (s == NULL)
		return NULL;
	n = strspn(s + (*s == '-'), "0123456789");
	return n > 0 && s[n + (*s == '-')] == '\0' ? s : NULL;
}

static const char *
check_int(struct req *rq, const struct field *f, const char *name, struct value v)
{
	const char *s = integer_text(v);
	int64_t n;

	if (s == NULL)
		return complain(rq, name, "type", "Must be a whole number");
	errno = 0;
	n = strtoll(s, NULL, 10);
	if (errno != 0 || n < f->min || n > f->max)
		return complain(rq, name, "out_of_range", fmt(rq,
		    "Must be from %" PRId64 " to %" PRId64, f->min, f->max));
	return text(rq, n);
}

static const char *
check_id(struct req *rq, const char *name, struct value v)
{
	const char *s = integer_text(v);
	int64_t n;

	errno = 0;
	n = s == NULL ? 0 : strtoll(s, NULL, 10);
	if (errno != 0 || n <= 0)
		return complain(rq, name, "type", "Must be a positive whole number");
	return text(rq, n);
}

static const char *
check_bool(struct req *rq, const char *name, struct value v)
{
	if (v.node != NULL && cJSON_IsBool(v.node))
		return cJSON_IsTrue(v.node) ? "true" : "false";
	if (v.node == NULL && one_of(v.text, "true", "1"))
		return "true";
	if (v.node == NULL && one_of(v.text, "false", "0"))
		return "false";
	return complain(rq, name, "type", "Must be true or false");
}

/* A decimal may come as a JSON number or as a string, exact either way. */
static const char *
decimal_text(struct value v)
{
	return v.node != NULL && cJSON_IsNumber(v.node) ? v.node->valuestring : string_of(v);
}

static const char *
check_money(struct req *rq, const char *name, struct value v)
{
	const char *s = decimal_text(v);
	int64_t minor;

	if (s == NULL)
		return complain(rq, name, "type", "Must be an amount such as \"19.99\"");
	if (!money_parse(s, shop_currency(), &minor))
		return complain(rq, name, "format", fmt(rq,
		    "Must be a plain, non-negative amount of %s with at most %d decimal"
		    " digits, not above the limit", shop_currency(),
		    currency_digits(shop_currency())));
	return text(rq, minor);
}

static const char *
check_number(struct req *rq, const char *name, struct value v)
{
	const char *s = decimal_text(v);
	int64_t thousandths;

	/* Three digits: what a KWD amount may have. */
	if (s == NULL || !money_parse(s, "KWD", &thousandths) || thousandths > 999999999000)
		return complain(rq, name, "format",
		    "Must be a plain, non-negative number with at most 3 decimal digits");
	return s;
}

static bool
count_fits(struct req *rq, const struct field *f, const char *name, const cJSON *node)
{
	int n = cJSON_GetArraySize(node);

	if (n >= f->min && n <= f->max)
		return true;
	complain(rq, name, "count", fmt(rq,
	    "Must have from %" PRId64 " to %" PRId64 " entries", f->min, f->max));
	return false;
}

static const char *
check_strings(struct req *rq, const struct field *f, const char *name, struct value v)
{
	static const struct field each = { .min = 1, .max = 100 };
	struct json *out = json_new(rq);
	const cJSON *node;
	int i = 0;

	if (!cJSON_IsArray(v.node))
		return complain(rq, name, "type", "Must be an array of strings");
	if (!count_fits(rq, f, name, v.node))
		return NULL;
	json_open(out, '[');
	cJSON_ArrayForEach(node, v.node) {
		const char *s = check_string(rq, &each, fmt(rq, "%s[%d]", name, i++),
		    (struct value){ .node = node });

		if (s != NULL)
			json_string(out, s);
	}
	return json_text(out);
}

static const cJSON *
member(const cJSON *object, const char *name)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);

	return m != NULL && cJSON_IsNull(m) ? NULL : m;
}

static const struct field *
find_field(const struct field *fields, enum where where, const char *name)
{
	for (const struct field *f = fields; f != NULL && f->where != F_END; f++)
		if (f->where == where && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static void
refuse_unknown(struct req *rq, const struct field *fields, const cJSON *object,
    const char *prefix)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, object)
		if (find_field(fields, F_BODY, m->string) == NULL)
			complain(rq, fmt(rq, "%s%.100s", prefix, m->string), "unknown",
			    "There is no such field");
}

static const char *
check_list(struct req *rq, const struct field *f, const char *name, struct value v)
{
	struct json *out = json_new(rq);
	const cJSON *node;
	int i = 0;

	if (!cJSON_IsArray(v.node))
		return complain(rq, name, "type", "Must be an array");
	if (!count_fits(rq, f, name, v.node))
		return NULL;
	json_open(out, '[');
	cJSON_ArrayForEach(node, v.node) {
		const char *prefix = fmt(rq, "%s[%d].", name, i++);

		if (!cJSON_IsObject(node)) {
			complain(rq, fmt(rq, "%s[%d]", name, i - 1), "type", "Must be an object");
			continue;
		}
		refuse_unknown(rq, f->item, node, prefix);
		json_open(out, '{');
		for (const struct field *part = f->item; part->where != F_END; part++) {
			const cJSON *m = member(node, part->name);
			const char *full = fmt(rq, "%s%s", prefix, part->name);

			json_key(out, part->name);
			if (m == NULL && part->required)
				complain(rq, full, "required", "Is required");
			json_string(out, m == NULL ? NULL
			    : check(rq, part, full, (struct value){ .node = m }));
		}
		json_close(out);
	}
	return json_text(out);
}

static const char *
check(struct req *rq, const struct field *f, const char *name, struct value v)
{
	switch (f->type) {
	case T_STR:	return check_string(rq, f, name, v);
	case T_EMAIL:	return check_email(rq, name, v);
	case T_CHOICE:	return check_choice(rq, f, name, v);
	case T_INT:	return check_int(rq, f, name, v);
	case T_ID:	return check_id(rq, name, v);
	case T_BOOL:	return check_bool(rq, name, v);
	case T_MONEY:	return check_money(rq, name, v);
	case T_NUMBER:	return check_number(rq, name, v);
	case T_STRS:	return check_strings(rq, f, name, v);
	case T_LIST:	return check_list(rq, f, name, v);
	case T_TIME: case T_JSON: case T_OBJECT: break;
	}
	return NULL;
}

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

static bool
valid_utf8(const char *s)
{
	size_t n = strlen(s);

	while (n > 0) {
		size_t length = utf8_length((const unsigned char *)s, n);

		if (length == 0)
			return false;
		s += length;
		n -= length;
	}
	return true;
}

/* The one value of a parameter; NULL when it is absent or empty. */
static const char *
parameter_value(struct req *rq, struct parameter *table, size_t n, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(table[i].name, name) != 0)
			continue;
		table[i].used = true;
		if (value != NULL)
			complain(rq, name, "duplicate", "Stands there twice");
		if (!valid_utf8(table[i].value)) {
			complain(rq, name, "format", "Must be valid UTF-8");
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
		value = check(rq, f, f->name, v);
	else if (f->required)
		complain(rq, f->name, "required", "Is required");
	store(rq, f, value);
	if (f->where != F_BODY && value != NULL)
		rq->cache_text = fmt(rq, "%s&%s=%s", rq->cache_text, f->name, value);
}

/* A path that names nothing that can exist is 404, not a bad request. */
static bool
read_path_field(struct req *rq, const struct field *f, const char *value)
{
	struct value v = { .text = value };

	if (!valid_utf8(value) || (f->type == T_ID && (strlen(value) > 19 ||
	    strspn(value, "0123456789") != strlen(value) || value[0] == '0')) ||
	    check(rq, f, f->name, v) == NULL) {
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
		refuse_unknown(rq, e->input, body, "");
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
			v.node = body == NULL ? NULL : member(body, f->name);
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
