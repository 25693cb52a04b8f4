#include "otlp_settings.h"
#include "span.h"
#include "trace.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* As many as the kernel gives without ever being interrupted. */
static unsigned char pool[256];
static size_t left;

/* A worker that is forked from a master who has answered, too (those it turned
 * away), must not give out what the master or another one does. */
static void
forget_pool(void)
{
	left = 0;
}

/* Random bytes, fetched for many requests at once. */
static void
random_bytes(unsigned char *out, size_t n)
{
	static bool watched;

	if (!watched)
		watched = pthread_atfork(NULL, NULL, forget_pool) == 0;
	if (left < n) {
		if (getrandom(pool, sizeof(pool), 0) != (ssize_t)sizeof(pool))
			log_line(LOG_ERROR, "getrandom failed", NULL);
		left = sizeof(pool);
	}
	left -= n;
	memcpy(out, pool + left, n);
}

static void
hex(char *out, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

static bool
acceptable_id(const char *id)
{
	size_t n;

	if (id == NULL)
		return false;
	n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
	return n >= 1 && n <= 128 && id[n] == '\0';
}

/* UUIDv7, RFC 9562: sorts by the time it was made. */
static void
make_id(char *out)
{
	struct timespec now;
	unsigned char b[16];
	uint64_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	random_bytes(b + 6, 10);
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(ms >> (40 - 8 * i));
	b[6] = (unsigned char)(0x70 | (b[6] & 0x0f));
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		hex(out, b + i, 1);
		out += 2;
	}
}

static bool
is_hex(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") >= n && strspn(s, "0") < n;
}

/* "00-<32 hex>-<16 hex>-<2 hex>"; an unknown version may have more behind. */
bool
trace_read(const char *t, char trace[static 33], char parent[static 17], bool *sampled)
{
	if (t == NULL || strlen(t) < 55 || t[2] != '-' || t[35] != '-' || t[52] != '-' ||
	    strncmp(t, "ff", 2) == 0 || strspn(t, "0123456789abcdef") < 2 ||
	    strspn(t + 53, "0123456789abcdef") < 2 ||
	    (strncmp(t, "00", 2) == 0 ? t[55] != '\0' : t[55] != '\0' && t[55] != '-') ||
	    !is_hex(t + 3, 32) || !is_hex(t + 36, 16))
		return false;
	snprintf(trace, 33, "%.32s", t + 3);
	snprintf(parent, 17, "%.16s", t + 36);
	*sampled = strchr("13579bdf", t[54]) != NULL;
	return true;
}

void
trace_make_id(char *out, size_t bytes)
{
	enum { MOST = 16 };
	unsigned char b[MOST];

	random_bytes(b, bytes < MOST ? bytes : MOST);
	hex(out, b, bytes < MOST ? bytes : MOST);
}

void
trace_begin(struct req *rq)
{
	bool told;

	if (acceptable_id(rq->request_id))
		strcpy(rq->id, rq->request_id);
	else if (acceptable_id(rq->correlation_id))
		strcpy(rq->id, rq->correlation_id);
	else
		make_id(rq->id);
	told = trace_read(rq->traceparent, rq->trace_id, rq->parent_id, &rq->sampled);
	if (!told)
		trace_make_id(rq->trace_id, 16);
	if (span_wanted())
		rq->sampled = otlp_samples(rq->trace_id, told ? &rq->sampled : NULL);
	else if (!told)
		rq->sampled = true;
	trace_make_id(rq->span_id, 8);
	if (!span_wanted() || !rq->sampled)
		return;
	strcpy(rq->inside_trace, rq->trace_id);
	strcpy(rq->inside_span, rq->span_id);
}

const char *
req_trace(struct req *rq)
{
	if (span_is_on(rq))
		return fmt(rq, "00-%s-%s-01", rq->inside_trace, rq->inside_span);
	return fmt(rq, "00-%s-%s-%s", rq->trace_id, rq->span_id, rq->sampled ? "01" : "00");
}
