/*
 * The reply: buffered until the commit, decided by the first call.
 */
#include "http.h"
#include "json.h"
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct problem { int status; const char *code, *text; } problems[] = {
	[ERR_NONE] = { 200, "", "" },
#define ERR(name, status, code, text) [ERR_##name] = { status, code, text },
#include "errors.def"
#undef ERR
};

int error_status(enum err e) { return problems[e].status; }
const char *error_code(enum err e) { return problems[e].code; }
const char *error_text(enum err e) { return problems[e].text; }

enum err
error_named(const char *code)
{
	for (int e = ERR_NONE + 1; e < ERR_COUNT; e++)
		if (strcmp(problems[e].code, code) == 0)
			return (enum err)e;
	return ERR_NONE;
}

static struct status
decided(struct req *rq)
{
	return (struct status){ (short)rq->status };
}

struct status
fail(struct req *rq, enum err e)
{
	if (rq->decided)
		return decided(rq);
	rq->decided = true;
	rq->error = e;
	rq->status = problems[e].status;
	if (rq->detail == NULL)
		rq->detail = problems[e].text;
	return decided(rq);
}

struct status
fail_text(struct req *rq, enum err e, const char *format, ...)
{
	char line[512];
	va_list ap;

	if (rq->decided)
		return decided(rq);
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	rq->detail = arena_copy(&rq->arena, line, utf8_prefix(line, sizeof(line)));
	return fail(rq, e);
}

struct status
fail_field(struct req *rq, const char *field, const char *code, const char *message)
{
	struct field_error *f;

	if (rq->decided && rq->error != ERR_INVALID_INPUT)
		return decided(rq);
	if (rq->field_error_count++ < MAX_FIELD_ERRORS) {
		f = mem(rq, sizeof(*f));
		*f = (struct field_error){ field, code, message, NULL };
		*rq->last_field_error = f;
		rq->last_field_error = &f->next;
	}
	return fail(rq, ERR_INVALID_INPUT);
}

struct status
reply_bytes(struct req *rq, int http_status, const char *content_type,
    const char *bytes, size_t n)
{
	if (rq->decided)
		return decided(rq);
	rq->decided = true;
	rq->status = http_status;
	rq->content_type_out = content_type;
	rq->body_out = bytes;
	rq->body_out_length = n;
	return decided(rq);
}

struct status
reply_json(struct req *rq, int http_status, const char *json)
{
	if (json == NULL)
		return fail(rq, ERR_NOT_FOUND);
	return reply_bytes(rq, http_status, "application/json", json, strlen(json));
}

struct status
reply_message(struct req *rq, int http_status, const char *message)
{
	struct json *j = json_new(rq);

	json_open(j, '{');
	json_member(j, "message", message);
	return reply_json(rq, http_status, json_text(j));
}

void
reply_header(struct req *rq, const char *name, const char *value)
{
	struct header *h = mem(rq, sizeof(*h));

	*h = (struct header){ name, value, NULL };
	*rq->last_header = h;
	rq->last_header = &h->next;
}

void
cache_purge(struct req *rq, const char *tags)
{
	rq->purge = rq->purge == NULL ? tags : fmt(rq, "%s %s", rq->purge, tags);
}

void
run_again(struct req *rq, int64_t ms)
{
	rq->again_us = ms < 0 ? -1 : ms * 1000;
}

void
after_reply(struct req *rq, void (*work)(struct req *))
{
	rq->later = work;
}

void
reply_clear(struct req *rq)
{
	rq->decided = false;
	rq->status = 0;
	rq->error = ERR_NONE;
	rq->detail = NULL;
	rq->problem_members = NULL;
	rq->field_errors = NULL;
	rq->last_field_error = &rq->field_errors;
	rq->field_error_count = 0;
	rq->headers = NULL;
	rq->last_header = &rq->headers;
	rq->later = NULL;
	rq->purge = NULL;
}

/* For whoever reads one line only: the first bad field, and how many more. */
static const char *
first_field_error(struct req *rq)
{
	const struct field_error *f = rq->field_errors;

	if (f->next == NULL)
		return fmt(rq, "%s: %s", f->field, f->message);
	return fmt(rq, "%s: %s (and %zu more)", f->field, f->message,
	    rq->field_error_count - 1);
}

/* RFC 9457, and "error" for clients that read only that. */
static void
write_problem(struct req *rq)
{
	const struct problem *p = &problems[rq->error];
	struct json *j = json_new(rq);

	if (rq->field_errors != NULL)
		rq->detail = first_field_error(rq);
	json_open(j, '{');
	json_member(j, "type", fmt(rq, "/problems/%s", p->code));
	json_member(j, "title", p->text);
	json_key(j, "status");
	json_int(j, p->status);
	json_member(j, "detail", rq->detail);
	json_member(j, "error", rq->detail);
	json_member(j, "code", p->code);
	json_member(j, "request_id", rq->id);
	if (rq->field_errors != NULL) {
		json_key(j, "errors");
		json_open(j, '[');
		for (struct field_error *f = rq->field_errors; f != NULL; f = f->next) {
			json_open(j, '{');
			json_member(j, "field", f->field);
			json_member(j, "code", f->code);
			json_member(j, "message", f->message);
			json_close(j);
		}
		json_close(j);
	}
	rq->body_out = json_text(j);
	if (rq->problem_members != NULL)	/* JSON of the database's own making */
		rq->body_out = fmt(rq, "%.*s,%s}", (int)strlen(rq->body_out) - 1,
		    rq->body_out, rq->problem_members);
	rq->body_out_length = strlen(rq->body_out);
	rq->content_type_out = "application/problem+json";
}

static bool
has_header(const struct req *rq, const char *name)
{
	for (const struct header *h = rq->headers; h != NULL; h = h->next)
		if (strcmp(h->name, name) == 0)
			return true;
	return false;
}

static void
add_limit(struct req *rq)
{
	if (rq->limit_allowed == 0)
		return;
	reply_header(rq, "RateLimit-Limit", text(rq, rq->limit_allowed));
	reply_header(rq, "RateLimit-Remaining", text(rq, rq->limit_left));
	reply_header(rq, "RateLimit-Reset", text(rq, rq->limit_reset_s));
}

void
reply_finish(struct req *rq)
{
	if (!rq->decided) {	/* a handler that lost its way */
		log_line(LOG_ERROR, "the handler decided nothing", "request_id", rq->id, NULL);
		fail(rq, ERR_INTERNAL);
	}
	if (rq->error != ERR_NONE) {
		write_problem(rq);
		if (rq->error == ERR_UNAUTHENTICATED)
			reply_header(rq, "WWW-Authenticate", "Bearer realm=\"souk\"");
		else if (rq->status == 401)
			reply_header(rq, "WWW-Authenticate",
			    "Bearer realm=\"souk\", error=\"invalid_token\"");
		if ((rq->status == 503 || rq->error == ERR_REQUEST_IN_PROGRESS) &&
		    !has_header(rq, "Retry-After"))
			reply_header(rq, "Retry-After", "1");
	}
	add_limit(rq);
	if (!has_header(rq, "Cache-Control"))
		reply_header(rq, "Cache-Control", "no-store");
}
