#include "trace.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Random bytes, fetched for many requests at once. */
static void
random_bytes(unsigned char *out, size_t n)
{
	static unsigned char pool[512];
	static size_t left;

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
static bool
read_traceparent(struct req *rq)
{
	const char *t = rq->traceparent;

	if (t == NULL || strlen(t) < 55 || t[2] != '-' || t[35] != '-' || t[52] != '-' ||
	    strncmp(t, "ff", 2) == 0 || strspn(t, "0123456789abcdef") < 2 ||
	    strspn(t + 53, "0123456789abcdef") < 2 ||
	    (strncmp(t, "00", 2) == 0 ? t[55] != '\0' : t[55] != '\0' && t[55] != '-') ||
	    !is_hex(t + 3, 32) || !is_hex(t + 36, 16))
		return false;
	memcpy(rq->trace_id, t + 3, 32);
	memcpy(rq->parent_id, t + 36, 16);
	return true;
}

void
trace_begin(struct req *rq)
{
	unsigned char b[16];

	if (acceptable_id(rq->request_id))
		strcpy(rq->id, rq->request_id);
	else if (acceptable_id(rq->correlation_id))
		strcpy(rq->id, rq->correlation_id);
	else
		make_id(rq->id);
	if (!read_traceparent(rq)) {
		random_bytes(b, 16);
		hex(rq->trace_id, b, 16);
	}
	random_bytes(b, 8);
	hex(rq->span_id, b, 8);
}

const char *
req_trace(struct req *rq)
{
	return fmt(rq, "00-%s-%s-01", rq->trace_id, rq->span_id);
}
