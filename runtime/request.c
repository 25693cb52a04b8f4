/*
 * What arrived: variables, path, query, ids.  Decides nothing but the route.
 */
#include "etag.h"
#include "request.h"
#include "trace.h"

#include <string.h>
#include <time.h>

uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* One pass over the variables: looking each up by name would be a scan each.
 * X_Forwarded_For becomes the variable that X-Forwarded-For does: of two that
 * might be what a proxy said, neither is believed. */
static void
pick_variables(struct req *rq)
{
	const struct { const char *name; size_t length; const char **to; } wanted[] = {
#define WANT(n, to) { n "=", sizeof(n), &rq->to }
		WANT("REQUEST_METHOD", method),
		WANT("REQUEST_URI", uri),
		WANT("REMOTE_ADDR", remote_address),
		WANT("CONTENT_TYPE", content_type),
		WANT("HTTP_AUTHORIZATION", authorization),
		WANT("HTTP_X_FORWARDED_FOR", forwarded_for),
		WANT("HTTP_ORIGIN", origin),
		WANT("HTTP_X_REQUEST_ID", request_id),
		WANT("HTTP_X_CORRELATION_ID", correlation_id),
		WANT("HTTP_TRACEPARENT", traceparent),
		WANT("HTTP_IF_MATCH", if_match),
		WANT("HTTP_IF_NONE_MATCH", if_none_match),
		WANT("HTTP_IDEMPOTENCY_KEY", idempotency_key),
#undef WANT
	};

	for (char *const *v = rq->in.variables; *v != NULL; v++) {
		rq->header_count += strncmp(*v, "HTTP_", 5) == 0;
		for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
			if (**v == wanted[i].name[0] &&
			    strncmp(*v, wanted[i].name, wanted[i].length) == 0) {
				*wanted[i].to = *wanted[i].to == NULL ? *v + wanted[i].length : "";
				break;
			}
		}
	}
}

void
request_begin(struct req *rq, const struct incoming *in)
{
	struct arena kept = rq->arena;

	memset(rq, 0, sizeof(*rq));
	rq->arena = kept;
	rq->in = *in;
	rq->started_us = now_us();
	rq->again_us = -1;
	rq->last_field_error = &rq->field_errors;
	rq->last_header = &rq->headers;
	pick_variables(rq);
	trace_begin(rq);
}

void
request_end(struct req *rq)
{
	arena_reset(&rq->arena);
}

static bool
add_segment(struct req *rq, const char *s, size_t n)
{
	char *segment = url_decode(rq, s, n, false);

	if (segment == NULL)
		return false;
	/* What the gateway has made of such a path, it has routed by. */
	if (segment[0] == '\0' || strcmp(segment, ".") == 0)
		return true;
	if (strcmp(segment, "..") == 0) {
		rq->segment_count -= rq->segment_count > 0;
		return true;
	}
	if (rq->segment_count == MAX_SEGMENTS)
		return false;
	rq->segments[rq->segment_count++] = segment;
	return true;
}

bool
request_parse_target(struct req *rq)
{
	const char *at = rq->uri, *end;

	if (rq->method == NULL || at == NULL || rq->header_count > MAX_HEADERS)
		return false;
	if (*at != '/') {	/* absolute form, RFC 9112 3.2.2 */
		at = strstr(at, "://");
		at = at == NULL ? NULL : strchr(at + 3, '/');
		if (at == NULL)
			return false;
	}
	end = at + strcspn(at, "?#");
	rq->query_string = *end == '?' ? end + 1 : "";
	while (at < end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));

		if (slash == NULL)
			slash = end;
		if (!add_segment(rq, at, (size_t)(slash - at)))
			return false;
		at = slash + 1;
	}
	return true;
}

/* Does "/api/orders/{id}" fit the segments?  Fills path_values. */
static bool
path_fits(struct req *rq, const char *pattern)
{
	size_t i = 0, values = 0;

	if (strcmp(pattern, "/*") == 0)
		return true;
	while (*pattern == '/') {
		size_t n = strcspn(++pattern, "/");

		if (n == 0)
			break;
		if (i == rq->segment_count)
			return false;
		if (*pattern == '{')
			rq->path_values[values++] = rq->segments[i];
		else if (strncmp(pattern, rq->segments[i], n) != 0 || rq->segments[i][n] != '\0')
			return false;
		pattern += n;
		i++;
	}
	return i == rq->segment_count;
}

static bool
method_fits(const char *method, const struct endpoint *e)
{
	static const char *const names[] = { "", "GET", "POST", "PUT", "DELETE" };

	if (strcmp(e->path, "/*") == 0)
		return true;
	return strcmp(method, names[e->method]) == 0 ||
	    (e->method == HTTP_GET && strcmp(method, "HEAD") == 0);
}

/* A literal segment beats a {name} where both fit, and either the path of all. */
static size_t
precision(const char *pattern)
{
	size_t n = 0;

	for (; *pattern != '\0'; pattern++)
		if (*pattern == '/')
			n += pattern[1] == '*' ? 0 : pattern[1] == '{' ? 1 : 2;
	return n;
}

static const char *
add_allowed(struct req *rq, const char *allow, const char *methods)
{
	if (allow == NULL)
		return methods;
	return strstr(allow, methods) != NULL ? allow : fmt(rq, "%s, %s", allow, methods);
}

const struct entry *
request_route(struct req *rq, const char **allow)
{
	static const char *const names[] = { "", "GET, HEAD", "POST", "PUT", "DELETE" };
	const struct entry *best = NULL;

	*allow = NULL;
	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++) {
		const struct endpoint *e = (*at)->endpoint;

		if (!path_fits(rq, e->path))
			continue;
		if (!method_fits(rq->method, e))
			*allow = add_allowed(rq, *allow, names[e->method]);
		else if (best == NULL || precision(e->path) > precision(best->endpoint->path))
			best = *at;
	}
	if (best != NULL)
		path_fits(rq, best->endpoint->path);
	return best;
}

size_t
request_body_limit(const struct endpoint *e)
{
	return e->max_body == 0 ? MAX_BODY : (size_t)e->max_body;
}

size_t
request_body_limit_of_all(void)
{
	size_t most = 0;

	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++) {
		size_t limit = request_body_limit((*at)->endpoint);

		most = limit > most ? limit : most;
	}
	return most;
}

const char *
req_header(struct req *rq, const char *name)
{
	size_t n = strlen(name);

	for (char *const *v = rq->in.variables; *v != NULL; v++)
		if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
			return *v + n + 1;
	return NULL;
}

bool
req_matches(struct req *rq, const char *json)
{
	return rq->if_match == NULL || (json != NULL &&
	    etag_match(rq->if_match, etag_of(rq, json, strlen(json))));
}

const char *
req_body(struct req *rq, size_t *length)
{
	if (length != NULL)
		*length = rq->in.body_length;
	return rq->in.body;
}

const void *req_input(struct req *rq) { return rq->input; }
void req_is_about(struct req *rq, const char *user) { rq->about = user; }
const char *req_id(struct req *rq) { return rq->id; }
const char *req_address(struct req *rq) { return rq->address; }
bool req_is_conditional(struct req *rq) { return rq->if_match != NULL; }
bool req_failed(struct req *rq) { return rq->decided && rq->error != ERR_NONE; }

void *
mem(struct req *rq, size_t n)
{
	return arena_alloc(&rq->arena, n);
}
