#include "check.h"
#include "json.h"
#include "money.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
check_array(struct req *rq, const struct field *f, const char *name, struct value v)
{
	static const struct field string = { .min = 1, .max = 100 };
	struct json *out = json_new(rq);
	const cJSON *node;
	int i = 0;

	if (!cJSON_IsArray(v.node))
		return complain(rq, name, "type", f->type == T_IDS ? "Must be an array of ids"
		    : "Must be an array of strings");
	if (!count_fits(rq, f, name, v.node))
		return NULL;
	json_open(out, '[');
	cJSON_ArrayForEach(node, v.node) {
		const char *each = fmt(rq, "%s[%d]", name, i++);
		struct value one = { .node = node };
		const char *s = f->type == T_IDS ? check_id(rq, each, one)
		    : check_string(rq, &string, each, one);

		if (s != NULL && f->type == T_IDS)
			json_raw(out, s);
		else if (s != NULL)
			json_string(out, s);
	}
	return json_text(out);
}

const cJSON *
check_member(const cJSON *object, const char *name)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);

	return m != NULL && cJSON_IsNull(m) ? NULL : m;
}

const struct field *
check_find(const struct field *fields, enum where where, const char *name)
{
	for (const struct field *f = fields; f != NULL && f->where != F_END; f++)
		if (f->where == where && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

void
check_unknown(struct req *rq, const struct field *fields, const cJSON *object,
    const char *prefix)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, object)
		if (check_find(fields, F_BODY, m->string) == NULL)
			complain(rq, fmt(rq, "%s%s", prefix, body_excerpt(rq, m->string)),
			    "unknown", "There is no such field");
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
		check_unknown(rq, f->item, node, prefix);
		json_open(out, '{');
		for (const struct field *part = f->item; part->where != F_END; part++) {
			const cJSON *m = check_member(node, part->name);
			const char *full = fmt(rq, "%s%s", prefix, part->name);

			json_key(out, part->name);
			if (m == NULL && part->required)
				complain(rq, full, "required", "Is required");
			json_string(out, m == NULL ? NULL
			    : check_value(rq, part, full, (struct value){ .node = m }));
		}
		json_close(out);
	}
	return json_text(out);
}

const char *
check_value(struct req *rq, const struct field *f, const char *name, struct value v)
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
	case T_STRS: case T_IDS: return check_array(rq, f, name, v);
	case T_LIST:	return check_list(rq, f, name, v);
	case T_FILE: case T_TIME: case T_JSON: case T_OBJECT: case T_MAP: break;
	}
	return NULL;
}

