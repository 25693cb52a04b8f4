#include "describe.h"
#include "http.h"
#include "json.h"
#include "multipart.h"
#include "settings.h"

#include <stdio.h>
#include <string.h>

extern const struct query *const __start_queries[] __attribute__((weak));
extern const struct query *const __stop_queries[] __attribute__((weak));
extern struct metric *const __start_metrics[] __attribute__((weak));
extern struct metric *const __stop_metrics[] __attribute__((weak));

/* auth.c is linked when a handler asks for its user. */
void	 auth_read_token(struct req *);
#pragma weak auth_read_token
/* db.c, when it makes a query. */
void	 db_begin(struct req *, bool);
#pragma weak db_begin
/* resume.c, when it carries on what a dead try with the same key began. */
#pragma weak req_reference

static const char *const access_names[] = { "unset", "public", "user", "seller",
	"admin", "service", "operator", "signed" };
static const char *const rate_names[] = { "unset", "none", "general", "auth", "payment" };
static const char *const method_names[] = { "unset", "GET", "POST", "PUT", "DELETE" };
static const char *const where_names[] = { "end", "path", "query", "body", "out" };
static const char *const type_names[] = { "str", "email", "choice", "int", "id",
	"bool", "money", "number", "strs", "ids", "list", "file", "time", "json", "object", "map" };

enum { MAX_SHAPES = 32 };

static size_t collect_shape(const struct shape **found, size_t n, const struct shape *);

static void
number(struct json *j, const char *key, int64_t n)
{
	json_key(j, key);
	json_int(j, n);
}

static void
flag(struct json *j, const char *key, bool b)
{
	json_key(j, key);
	json_bool(j, b);
}

static void
raw(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	json_raw(j, text == NULL ? "null" : text);
}

static void
write_strings(struct json *j, const char *key, const char *const *list)
{
	json_key(j, key);
	if (list == NULL) {
		json_raw(j, "null");
		return;
	}
	json_open(j, '[');
	for (; *list != NULL; list++)
		json_string(j, *list);
	json_close(j);
}

static void write_fields(struct json *j, const char *key, const struct field *fields);

static void
write_field(struct json *j, const struct field *f)
{
	json_open(j, '{');
	json_member(j, "name", f->name);
	json_member(j, "type", type_names[f->type]);
	json_member(j, "doc", f->doc);
	if (f->where == F_OUT) {
		flag(j, "nullable", f->nullable);
		flag(j, "optional", f->optional);
		flag(j, "many", f->many);
		json_member(j, "shape", f->shape == NULL ? NULL : f->shape->name);
	} else {
		json_member(j, "in", where_names[f->where]);
		flag(j, "required", f->required);
		flag(j, "bytes", f->bytes);
		flag(j, "not_null", f->not_null);
		number(j, "min", f->min);
		number(j, "max", f->max);
		json_key(j, "preset");
		if (f->type == T_INT && !f->required)
			json_int(j, f->preset);
		else
			json_raw(j, "null");
		write_fields(j, "item", f->item);
	}
	write_strings(j, "choices", f->choices);
	raw(j, "example", f->example);
	json_close(j);
}

static void
write_fields(struct json *j, const char *key, const struct field *fields)
{
	json_key(j, key);
	if (fields == NULL) {
		json_raw(j, "null");
		return;
	}
	json_open(j, '[');
	for (; fields->where != F_END; fields++)
		write_field(j, fields);
	json_close(j);
}

static bool
has_fields(const struct endpoint *e, enum where where)
{
	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++)
		if (f->where == where)
			return true;
	return false;
}

static const char *
body_kind(const struct endpoint *e)
{
	if (e->raw_body)
		return "raw";
	if (e->event)
		return "event";
	if (e->form)
		return "form";
	if (e->multipart)
		return "multipart";
	return has_fields(e, F_BODY) ? "json" : "none";
}

/* Declared, or following from the rest of the declaration. */
static bool
may_answer(const struct endpoint *e, enum err error)
{
	for (const enum err *d = e->errors; d != NULL && *d != ERR_NONE; d++)
		if (*d == error)
			return true;
	switch (error) {
	case ERR_MALFORMED:
		return has_fields(e, F_BODY) || has_fields(e, F_QUERY) || e->event;
	case ERR_INVALID_INPUT:
		return has_fields(e, F_BODY) || has_fields(e, F_QUERY) || e->idempotent || e->event;
	case ERR_UNSUPPORTED_MEDIA_TYPE:
	case ERR_BODY_TOO_LARGE:
		return has_fields(e, F_BODY) || e->event;
	case ERR_UNAUTHENTICATED:
		return e->access >= ACCESS_USER && e->access <= ACCESS_SERVICE;
	case ERR_FORBIDDEN:
		return e->access == ACCESS_SELLER || e->access == ACCESS_ADMIN ||
		    e->access == ACCESS_OPERATOR;
	case ERR_NOT_FOUND:
		return has_fields(e, F_PATH);
	case ERR_REQUEST_IN_PROGRESS:
		return e->idempotent || e->event;
	case ERR_IDEMPOTENCY_KEY_REUSED:
		return e->idempotent;
	case ERR_PRECONDITION_FAILED:
		return e->if_match;
	case ERR_RATE_LIMITED:
		return e->rate != RATE_NONE;
	case ERR_UNAVAILABLE:
		return db_begin != NULL;
	default:
		return false;
	}
}

static const struct field *
details_of(const struct endpoint *e, enum err error)
{
	for (const struct detail *d = e->details; d != NULL && d->error != ERR_NONE; d++)
		if (d->error == error)
			return d->fields;
	return NULL;
}

static void
write_errors(struct json *j, const struct endpoint *e)
{
	json_key(j, "errors");
	json_open(j, '[');
	for (int error = ERR_NONE + 1; error < ERR_COUNT; error++) {
		if (!may_answer(e, (enum err)error))
			continue;
		json_open(j, '{');
		number(j, "status", error_status((enum err)error));
		json_member(j, "code", error_code((enum err)error));
		json_member(j, "text", error_text((enum err)error));
		write_fields(j, "details", details_of(e, (enum err)error));
		json_close(j);
	}
	json_close(j);
}

static void
write_endpoint(struct json *j, const struct entry *entry)
{
	const struct endpoint *e = entry->endpoint;

	json_open(j, '{');
	json_member(j, "name", entry->name);
	json_member(j, "file", entry->file);
	json_member(j, "method", method_names[e->method]);
	json_member(j, "path", e->path);
	json_member(j, "summary", e->summary);
	json_member(j, "access", access_names[e->access]);
	json_member(j, "rate", rate_names[e->rate]);
	json_key(j, "cache");
	if (e->cache.seconds > 0) {
		json_open(j, '{');
		number(j, "seconds", e->cache.seconds);
		json_member(j, "tag", e->cache.tag);
		json_close(j);
	} else {
		json_raw(j, "null");
	}
	json_member(j, "purges", e->purges);
	flag(j, "if_match", e->if_match);
	flag(j, "idempotent", e->idempotent);
	json_member(j, "repeatable", e->repeatable);
	json_member(j, "body", body_kind(e));
	number(j, "max_body", (int64_t)request_body_limit(e));
	raw(j, "raw_example", e->raw_example);
	number(j, "success", e->success == 0 ? 200 : e->success);
	number(j, "otherwise", e->otherwise);
	number(j, "timeout_s", e->timeout_s == 0 ? 30 : e->timeout_s);
	flag(j, "waits", e->waits);
	number(j, "every_s", e->every_s);
	json_member(j, "woken_by", e->woken_by);
	write_fields(j, "input", e->input);
	write_fields(j, "output", e->output);
	json_member(j, "answer", e->answer == NULL ? NULL : e->answer->name);
	flag(j, "many", e->many);
	json_member(j, "media_type", e->media_type);
	write_errors(j, e);
	json_close(j);
}

/* Every shape reachable from the fields, once. */
static size_t
collect(const struct shape **found, size_t n, const struct field *f)
{
	for (; f != NULL && f->where != F_END; f++)
		n = collect_shape(found, n, f->shape);
	return n;
}

static size_t
collect_shape(const struct shape **found, size_t n, const struct shape *s)
{
	for (size_t i = 0; i < n; i++)
		if (found[i] == s)
			return n;
	if (s == NULL || n == MAX_SHAPES)
		return n;
	found[n++] = s;
	return collect(found, n, s->fields);
}

static void
write_shapes(struct json *j)
{
	const struct shape *found[MAX_SHAPES];
	size_t n = 0;

	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++) {
		const struct endpoint *e = (*at)->endpoint;

		n = collect_shape(found, n, e->answer);
		n = collect(found, n, e->output);
		for (const struct detail *d = e->details; d != NULL && d->error != ERR_NONE; d++)
			n = collect(found, n, d->fields);
	}
	json_key(j, "shapes");
	json_open(j, '{');
	for (size_t i = 0; i < n; i++) {
		json_key(j, found[i]->name);
		json_open(j, '{');
		json_member(j, "doc", found[i]->doc);
		write_fields(j, "fields", found[i]->fields);
		json_close(j);
	}
	json_close(j);
}

static bool
named_before(struct setting *const *at)
{
	for (struct setting *const *b = __start_settings; b < at; b++)
		if (strcmp((*b)->name, (*at)->name) == 0)
			return true;
	return false;
}

/* Only cron and event functions look at the service token, so only they are
 * to be given it. */
static bool
is_of_use(const struct setting *s)
{
	if (strcmp(s->name, "SERVICE_TOKEN") != 0)
		return true;
	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++)
		if ((*at)->endpoint->access == ACCESS_SERVICE)
			return true;
	return false;
}

static void
write_settings(struct json *j)
{
	static const char *const kinds[] = { "text", "int", "secret" };

	json_key(j, "settings");
	json_open(j, '[');
	for (struct setting *const *at = __start_settings; at < __stop_settings; at++) {
		const struct setting *s = *at;

		if (named_before(at) || !is_of_use(s))
			continue;
		json_open(j, '{');
		json_member(j, "name", s->name);
		json_member(j, "type", kinds[s->kind]);
		flag(j, "required", s->required);
		json_key(j, "default");
		if (s->kind == SETTING_IS_INT)
			json_int(j, s->number);
		else
			json_string(j, s->preset);
		if (s->kind == SETTING_IS_INT) {
			number(j, "min", s->min);
			number(j, "max", s->max);
		}
		json_member(j, "doc", s->doc);
		json_close(j);
	}
	json_close(j);
}

/* The runtime's own statements are for idempotency keys. */
static bool
is_run(const struct query *q)
{
	if (strcmp(q->file, "runtime/db.c") != 0)
		return true;
	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++)
		if ((*at)->endpoint->idempotent)
			return true;
	return false;
}

static void
write_queries(struct json *j)
{
	json_key(j, "queries");
	json_open(j, '[');
	for (const struct query *const *at = __start_queries; at < __stop_queries; at++) {
		if (!is_run(*at))
			continue;
		json_open(j, '{');
		json_member(j, "name", (*at)->name);
		json_member(j, "sql", (*at)->sql);
		json_member(j, "file", (*at)->file);
		json_close(j);
	}
	json_close(j);
}

static void
write_metrics(struct json *j)
{
	json_key(j, "metrics");
	json_open(j, '[');
	for (struct metric *const *at = __start_metrics; at < __stop_metrics; at++) {
		json_open(j, '{');
		json_member(j, "name", (*at)->name);
		json_member(j, "labels", (*at)->labels);
		json_member(j, "help", (*at)->help);
		json_member(j, "type", (*at)->histogram ? "histogram" :
		    (*at)->gauge ? "gauge" : "counter");
		json_close(j);
	}
	json_close(j);
}

void
describe(const char *binary)
{
	static struct req rq;	/* for its arena */
	struct json *j = json_new(&rq);
	const char *file = __start_endpoints[0]->file;
	const char *context = strchr(file, '/') == NULL ? "" : strchr(file, '/') + 1;

	json_open(j, '{');
	json_member(j, "binary", binary);
	json_member(j, "context", fmt(&rq, "%.*s", (int)strcspn(context, "/"), context));
	json_key(j, "endpoints");
	json_open(j, '[');
	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++)
		write_endpoint(j, *at);
	json_close(j);
	write_shapes(j);
	write_settings(j);
	write_queries(j);
	write_metrics(j);
	puts(json_text(j));
}

static bool
complain(const struct entry *entry, const char *problem)
{
	fprintf(stderr, "%s: %s: %s\n", entry->file, entry->name, problem);
	return false;
}

static bool
files_are_sound(const struct entry *entry)
{
	const struct endpoint *e = entry->endpoint;
	int64_t most = (int64_t)request_body_limit(e);
	bool good = true;

	if (e->max_body < 0 || e->max_body > MOST_MAX_BODY)
		good = complain(entry, "the .max_body is out of range");
	if (e->multipart + e->form + e->raw_body + e->event > 1)
		good = complain(entry, "a body is one of .multipart, .form, .raw_body and .event");
	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++) {
		if (f->type != T_FILE)
			continue;
		if (f->where != F_BODY || !e->multipart)
			good = complain(entry, "a FILE comes in the body of a .multipart endpoint");
		if (f->max <= 0 || (most -= f->max) < MAX_PART_HEADERS)
			good = complain(entry, "set .max of a FILE, and a .max_body with room for all");
	}
	return good;
}

static bool
is_sound(const struct entry *entry)
{
	const struct endpoint *e = entry->endpoint;
	bool good = true;

	if (e->access == ACCESS_UNSET || e->rate == RATE_UNSET)
		good = complain(entry, "set .access and .rate");
	if (e->method == HTTP_UNSET || e->path == NULL || e->path[0] != '/' || e->summary == NULL)
		good = complain(entry, "set .method, .path and .summary");
	if (e->cache.seconds > 0 && (e->method != HTTP_GET || e->access != ACCESS_PUBLIC ||
	    e->cache.tag == NULL))
		good = complain(entry, "only a public GET is cached, under a .tag");
	if (e->access >= ACCESS_USER && e->access <= ACCESS_ADMIN && auth_read_token == NULL)
		good = complain(entry, "never asks for its user: use req_user() or req_is()");
	if (e->method == HTTP_POST && e->idempotent == (e->repeatable != NULL))
		good = complain(entry, "set .idempotent, or say in .repeatable why"
		    " sending it twice does no harm");
	if (e->idempotent && (db_begin == NULL ||
	    (e->commit == COMMIT_EACH && req_reference == NULL)))
		good = complain(entry, "takes a key that nothing claims: with COMMIT_EACH,"
		    " claim it with the effect and use req_reference()");
	if (e->event && (e->method != HTTP_POST || e->idempotent || e->input != NULL || db_begin == NULL))
		good = complain(entry, "an .event is a POST without input, which keeps"
		    " what it has taken in the database");
	if (e->woken_by != NULL && e->every_s == 0)
		good = complain(entry, "what is .woken_by something has a schedule too");
	for (const struct field *f = e->input; f != NULL && f->where != F_END; f++)
		if ((f->type == T_STR || f->type == T_STRS || f->type == T_IDS ||
		    f->type == T_LIST || f->type == T_INT) && f->max == 0 && f->where != F_PATH)
			good = complain(entry, fmt(&(struct req){ .status = 0 },
			    "the field %s has no .max", f->name));
	return files_are_sound(entry) && good;
}

bool
describe_check(void)
{
	bool good = true;

	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++)
		good = is_sound(*at) && good;
	return good;
}
