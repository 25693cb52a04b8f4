#include "encoding.h"
#include "request.h"
#include "span.h"
#include "trace.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

COUNTER(lost, "otel_spans_total", "outcome=\"lost\"", "Spans of traces by what became of them");

enum {
	LONGEST_VALUE = 300,
	LONG_US = 100000	/* a run that takes as long is asked about */
};

static int collector = -1;

/* Of the current request, and not sent yet. */
static struct {
	size_t	 count, length;
	uint64_t epoch_ns;		/* of now_us(), for all of them */
	bool	 full;			/* something did not fit */
	struct span_message out;
} kept;

void
span_send_to(int fd)
{
	collector = fd;
}

bool
span_wanted(void)
{
	return collector >= 0;
}

bool
span_is_on(const struct req *rq)
{
	return rq->inside_trace[0] != '\0';
}

static void
put(const char *s, size_t n)
{
	size_t room = sizeof(kept.out.text) - kept.length;

	kept.full = kept.full || n > room;
	if (kept.full)
		return;
	memcpy(kept.out.text + kept.length, s, n);
	kept.length += n;
}

static void
puts_(const char *s)
{
	put(s, strlen(s));
}

/* A JSON string; of what JSON does not take as it is, a question mark is left. */
static void
put_string(const char *s)
{
	const char *end = s + strnlen(s, LONGEST_VALUE);

	puts_("\"");
	while (s < end) {
		size_t n = json_plain(s, (size_t)(end - s));

		put(s, n);
		s += n;
		if (s < end) {
			puts_("?");
			for (s++; s < end && ((unsigned char)*s & 0xc0) == 0x80; s++)
				continue;
		}
	}
	puts_("\"");
}

static bool
is_number(const char *s)
{
	enum { MOST_DIGITS = 18 };
	size_t n = strspn(s, "0123456789");

	return n >= 1 && n <= MOST_DIGITS && s[n] == '\0' && (*s != '0' || n == 1);
}

static void
put_attribute(const char *key, const char *value, bool first)
{
	puts_(first ? "{\"key\":" : ",{\"key\":");
	put_string(key);
	puts_(is_number(value) ? ",\"value\":{\"intValue\":" : ",\"value\":{\"stringValue\":");
	put_string(value);
	puts_("}}");
}

static uint64_t
epoch_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - now_us() * 1000;
}

/* Nanoseconds of the calendar, for a time of now_us(). */
static void
put_time(const char *key, uint64_t us)
{
	char text[64];

	put(text, (size_t)snprintf(text, sizeof(text), ",\"%s\":\"%llu\"", key,
	    (unsigned long long)(kept.epoch_ns + us * 1000)));
}

static void
put_id(const char *key, const char *id)
{
	if (*id == '\0')
		return;
	puts_(",\"");
	puts_(key);
	puts_("\":\"");
	puts_(id);
	puts_("\"");
}

static void
flush(void)
{
	size_t n = offsetof(struct span_message, text) + kept.length;

	if (kept.count == 0)
		return;		/* as always, where no traces are exported */
	kept.out.count = (unsigned)kept.count;
	if (send(collector, &kept.out, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
		metric_add(&lost, kept.count);
	kept.count = 0;
	kept.length = 0;
}

/* One that is written, or two, before it begins and when it is over. */
struct written { const char *trace, *id, *parent, *link; uint64_t begun_us, end_us; };

static void
put_span(const struct written *w, enum span_kind kind, const char *name, const char *problem,
    va_list pairs)
{
	const char *key;
	bool first = true;
	char digit[2] = { (char)('0' + kind), '\0' };

	puts_("{\"kind\":");
	puts_(digit);
	put_id("traceId", w->trace);
	put_id("spanId", w->id);
	put_id("parentSpanId", w->parent);
	puts_(",\"name\":");
	put_string(name);
	put_time("startTimeUnixNano", w->begun_us);
	put_time("endTimeUnixNano", w->end_us);
	if (*w->link != '\0') {
		char trace[33] = "", span[17] = "";

		memcpy(trace, w->link + 3, 32);
		memcpy(span, w->link + 36, 16);
		puts_(",\"links\":[{\"flags\":1");
		put_id("traceId", trace);
		put_id("spanId", span);
		puts_("}]");
	}
	puts_(",\"flags\":1,\"attributes\":[");
	while ((key = va_arg(pairs, const char *)) != NULL) {
		const char *value = va_arg(pairs, const char *);

		if (value == NULL)
			continue;
		put_attribute(key, value, first);
		first = false;
	}
	puts_("],\"status\":{");
	if (problem != NULL) {
		puts_("\"code\":2,\"message\":");
		put_string(problem);
	}
	puts_("}},");
}

/* Once more, where the room is only taken by what could leave before. */
static void
write_span(const struct written *w, enum span_kind kind, const char *name,
    const char *problem, va_list pairs)
{
	for (int tries = 0; tries < 2; tries++) {
		size_t before = kept.length;
		va_list copy;

		if (before == 0)
			kept.epoch_ns = epoch_ns();
		va_copy(copy, pairs);
		put_span(w, kind, name, problem, copy);
		va_end(copy);
		if (!kept.full) {
			kept.count++;
			return;
		}
		kept.full = false;
		kept.length = before;
		flush();
	}
	metric_add(&lost, 1);
}

/* A run of a schedule has a trace once it has something to do. */
static void
give_trace(struct req *rq)
{
	if (!rq->scheduled || span_is_on(rq) || !span_wanted() || !rq->sampled)
		return;
	strcpy(rq->inside_trace, rq->trace_id);
	strcpy(rq->inside_span, rq->span_id);
}

static void
begin(struct req *rq, struct span *s, const char *trace, const char *parent)
{
	s->begun_us = now_us();
	s->link[0] = '\0';
	if (span_is_on(rq) && strcmp(rq->inside_trace, trace) != 0)
		strcpy(s->link, req_trace(rq));
	snprintf(s->trace, sizeof(s->trace), "%s", trace);
	snprintf(s->parent, sizeof(s->parent), "%s", parent);
	trace_make_id(s->id, sizeof(s->id) / 2);
}

/* What begins is within it. */
static void
enter(struct req *rq, struct span *s)
{
	s->apart = s->id[0] == '\0';
	if (s->apart)
		return;
	strcpy(s->outer_trace, rq->inside_trace);
	strcpy(s->outer_id, rq->inside_span);
	strcpy(rq->inside_trace, s->trace);
	strcpy(rq->inside_span, s->id);
}

void
span_begin_apart(struct req *rq, struct span *s, const char *traceparent)
{
	char trace[33], parent[17];
	bool sampled, told = span_wanted() && traceparent != NULL &&
	    trace_read(traceparent, trace, parent, &sampled);

	s->id[0] = '\0';
	s->apart = true;
	if (told && !sampled)
		return;
	give_trace(rq);
	if (told)
		begin(rq, s, trace, parent);
	else if (span_is_on(rq))
		begin(rq, s, rq->inside_trace, rq->inside_span);
}

void
span_begin_in(struct req *rq, struct span *s, const char *traceparent)
{
	span_begin_apart(rq, s, traceparent);
	enter(rq, s);
}

void
span_begin(struct req *rq, struct span *s)
{
	span_begin_in(rq, s, NULL);
}

const char *
span_traceparent(struct req *rq, const struct span *s)
{
	return s->id[0] == '\0' ? NULL : fmt(rq, "00-%s-%s-01", s->trace, s->id);
}

void
span_end(struct req *rq, const struct span *s, enum span_kind kind, const char *name,
    const char *problem, ...)
{
	struct written w = { s->trace, s->id, s->parent, s->link, s->begun_us, now_us() };
	va_list pairs;

	if (s->id[0] == '\0')
		return;
	va_start(pairs, problem);
	write_span(&w, kind, name, problem, pairs);
	va_end(pairs);
	if (s->apart)
		return;
	strcpy(rq->inside_trace, s->outer_trace);
	strcpy(rq->inside_span, s->outer_id);
}

void
span_note(struct req *rq, uint64_t begun_us, enum span_kind kind, const char *name,
    const char *problem, ...)
{
	struct written w = { rq->inside_trace, NULL, rq->inside_span, "", begun_us, now_us() };
	char id[17];
	va_list pairs;

	if (!span_is_on(rq))
		return;
	trace_make_id(id, sizeof(id) / 2);
	w.id = id;
	va_start(pairs, problem);
	write_span(&w, kind, name, problem, pairs);
	va_end(pairs);
}

/* What was written goes there, too: an id is as long as another. */
void
span_join(struct req *rq, const char *traceparent)
{
	char trace[33], parent[17];
	bool sampled;
	char *at = kept.out.text, *end = at + kept.length;

	if (!span_is_on(rq) || traceparent == NULL || rq->parent_id[0] != '\0' ||
	    !trace_read(traceparent, trace, parent, &sampled))
		return;
	while ((at = memmem(at, (size_t)(end - at), rq->trace_id, 32)) != NULL)
		memcpy(at, trace, 32);
	strcpy(rq->trace_id, trace);
	strcpy(rq->inside_trace, trace);
	strcpy(rq->parent_id, parent);
}

static void
write_request(const struct written *w, const char *name, const char *problem, ...)
{
	va_list pairs;

	va_start(pairs, problem);
	write_span(w, SPAN_SERVER, name, problem, pairs);
	va_end(pairs);
}

void
span_request(struct req *rq, uint64_t microseconds)
{
	struct written w = { rq->trace_id, rq->span_id, rq->parent_id, "", rq->started_us,
	    rq->started_us + microseconds };
	const char *route = rq->entry == NULL ? NULL : rq->entry->endpoint->path;
	const char *status;

	if (rq->status >= 500 || microseconds >= LONG_US)
		give_trace(rq);
	if (span_is_on(rq) && rq->entry != NULL) {
		status = text(rq, rq->status);
		write_request(&w, fmt(rq, "%s %s", rq->method, route),
		    rq->status >= 500 ? status : NULL,
		    "http.request.method", rq->method, "http.route", route,
		    "http.response.status_code", status,
		    "error.type", rq->status >= 500 ? status : NULL,
		    "faas.trigger", rq->scheduled ? "timer" : NULL,
		    "souk.cache", rq->cache_state, "souk.request_id", rq->id, NULL);
	}
	if (rq->entry != NULL)
		flush();
	/* What a probe asks is nobody's child. */
	if (kept.count > 0)
		kept.count = kept.length = 0;
}
