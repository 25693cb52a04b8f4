#include "response.h"

#include <stdio.h>
#include <string.h>

static const char *
reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 204: return "No Content";
	case 304: return "Not Modified";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 402: return "Payment Required";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 409: return "Conflict";
	case 413: return "Content Too Large";
	case 415: return "Unsupported Media Type";
	case 422: return "Unprocessable Content";
	case 429: return "Too Many Requests";
	case 503: return "Service Unavailable";
	default:  return "Internal Server Error";
	}
}

static char *
put(char *at, const char *s)
{
	return stpcpy(at, s);
}

/* A header's value ends at the first control character: no client's text can
 * start a header of its own. */
static char *
put_header(char *at, const char *name, const char *value)
{
	at = put(put(at, name), ": ");
	while ((unsigned char)*value >= ' ' && *value != 127)
		*at++ = *value++;
	return put(at, "\r\n");
}

const char *
response_text(struct req *rq, size_t *n)
{
	size_t room = rq->body_out_length + 1024 + 2 * sizeof(rq->id);
	bool has_body = rq->status != 204 && rq->status != 304;
	char *text, *at, status[40], length[24];

	for (const struct header *h = rq->headers; h != NULL; h = h->next)
		room += strlen(h->name) + strlen(h->value) + 4;
	if (has_body)
		room += strlen(rq->content_type_out);
	at = text = arena_alloc(&rq->arena, room);
	snprintf(status, sizeof(status), "%d %s", rq->status, reason(rq->status));
	at = put_header(at, "Status", status);
	if (has_body) {
		snprintf(length, sizeof(length), "%zu", rq->body_out_length);
		at = put_header(at, "Content-Type", rq->content_type_out);
		at = put_header(at, "Content-Length", length);
	}
	at = put_header(at, "X-Request-ID", rq->id);
	at = put_header(at, "X-Correlation-ID", rq->id);
	for (const struct header *h = rq->headers; h != NULL; h = h->next)
		at = put_header(at, h->name, h->value);
	at = put(at, "\r\n");
	if (has_body && strcmp(rq->method == NULL ? "" : rq->method, "HEAD") != 0) {
		memcpy(at, rq->body_out, rq->body_out_length);
		at += rq->body_out_length;
	}
	*n = (size_t)(at - text);
	return text;
}
