#include "response.h"
#include "text.h"

#include <string.h>

static const char *
reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 204: return "No Content";
	case 206: return "Partial Content";
	case 304: return "Not Modified";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 402: return "Payment Required";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 409: return "Conflict";
	case 412: return "Precondition Failed";
	case 413: return "Content Too Large";
	case 415: return "Unsupported Media Type";
	case 416: return "Range Not Satisfiable";
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
response_head(struct req *rq, size_t *n)
{
	size_t room = 1024 + 2 * sizeof(rq->id);
	bool has_body = rq->status != 204 && rq->status != 304;
	char *text, *at;

	for (const struct header *h = rq->headers; h != NULL; h = h->next)
		room += strlen(h->name) + strlen(h->value) + 4;
	if (has_body)
		room += strlen(rq->content_type_out);
	at = text = arena_alloc(&rq->arena, room);
	at = put(at, "Status: ");
	at += put_number(at, rq->status);
	at = put(put(put(at, " "), reason(rq->status)), "\r\n");
	if (has_body) {
		at = put_header(at, "Content-Type", rq->content_type_out);
		at = put(at, "Content-Length: ");
		at += put_number(at, (int64_t)rq->body_out_length);
		at = put(at, "\r\n");
	}
	at = put_header(at, "X-Request-ID", rq->id);
	at = put_header(at, "X-Correlation-ID", rq->id);
	for (const struct header *h = rq->headers; h != NULL; h = h->next)
		at = put_header(at, h->name, h->value);
	at = put(at, "\r\n");
	*n = (size_t)(at - text);
	return text;
}

const char *
response_body(const struct req *rq, size_t *n)
{
	bool has_body = rq->status != 204 && rq->status != 304 &&
	    strcmp(rq->method == NULL ? "" : rq->method, "HEAD") != 0;

	*n = has_body ? rq->body_out_length : 0;
	return rq->body_out;
}
