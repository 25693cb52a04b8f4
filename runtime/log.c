/*
 * Log lines: one JSON object a line on stderr, in one write, so that the
 * lines of many processes do not mix.
 */
#include "encoding.h"
#include "log.h"
#include "text.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static enum level least = LOG_INFO;
static const char *program = "souk";
static int out = STDERR_FILENO;

static void
put(struct log_text *t, const char *s, size_t n)
{
	size_t room = sizeof(t->bytes) - 2 - t->length;

	if (n > room)
		n = room;
	memcpy(t->bytes + t->length, s, n);
	t->length += n;
}

/* Plain text goes in one piece; a byte that is no text, as U+FFFD. */
static void
put_escaped(struct log_text *t, const char *s)
{
	static const char hex[] = "0123456789abcdef";
	size_t end = t->length + LOG_VALUE;

	while (*s != '\0' && t->length < end) {
		size_t plain = json_plain(s, end - t->length);
		unsigned char c;

		put(t, s, plain);
		s += plain;
		c = (unsigned char)*s;
		if (c == '\0' || t->length >= end)
			break;
		if (c == '"' || c == '\\')
			put(t, (char[]){ '\\', *s }, 2);
		else if (c < 0x80)
			put(t, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
		else if (utf8_length((const unsigned char *)s, 4) == 0)
			put(t, "\\ufffd", 6);
		else
			break;		/* it would be cut in the middle */
		s++;
	}
}

/* A pair that does not fit is left out: half of one would spoil the line. */
static bool
fits(const struct log_text *t, const char *key, size_t n)
{
	return t->length + strlen(key) + n + sizeof(",\"\":\"\"}\n") <= sizeof(t->bytes);
}

static void
put_key(struct log_text *t, const char *key)
{
	put(t, ",\"", 2);
	put(t, key, strlen(key));
	put(t, "\":", 2);
}

void
log_put_raw(struct log_text *t, const char *key, const char *json)
{
	if (!fits(t, key, strlen(json)))
		return;
	put_key(t, key);
	put(t, json, strlen(json));
}

void
log_put(struct log_text *t, const char *key, const char *value)
{
	enum { LONGEST_ESCAPE = 6 };

	if (value == NULL) {
		log_put_raw(t, key, "null");
		return;
	}
	if (!fits(t, key, strlen(value) * LONGEST_ESCAPE) &&
	    !fits(t, key, LOG_VALUE + LONGEST_ESCAPE))
		return;
	log_put_raw(t, key, "\"");
	put_escaped(t, value);
	put(t, "\"", 1);
}

void
log_put_number(struct log_text *t, const char *key, long long value)
{
	char digits[NUMBER_ROOM];

	if (!fits(t, key, sizeof(digits)))
		return;
	put_key(t, key);
	put(t, digits, put_number(digits, value));
}

/* What all lines of one second begin with is written once. */
void
log_begin(struct log_text *t, enum level level)
{
	static char second[sizeof("{\"time\":\"2026-01-01T00:00:00.") + 16];
	static time_t of;
	struct timespec now;
	char ms[] = "000Z\",\"level\":\"";

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != of) {
		struct tm utc;

		gmtime_r(&now.tv_sec, &utc);
		strftime(second, sizeof(second), "{\"time\":\"%Y-%m-%dT%H:%M:%S.", &utc);
		of = now.tv_sec;
	}
	ms[0] = (char)('0' + now.tv_nsec / 100000000);
	ms[1] = (char)('0' + now.tv_nsec / 10000000 % 10);
	ms[2] = (char)('0' + now.tv_nsec / 1000000 % 10);
	t->length = 0;
	put(t, second, strlen(second));
	put(t, ms, sizeof(ms) - 1);
	put(t, level_names[level], strlen(level_names[level]));
	put(t, "\",\"function\":\"", 14);
	put(t, program, strlen(program));
	put(t, "\"", 1);
}

void
log_end(struct log_text *t)
{
	ssize_t written;

	t->bytes[t->length++] = '}';
	t->bytes[t->length++] = '\n';
	written = write(out, t->bytes, t->length);
	(void)written;		/* nowhere to report a log that cannot be written */
}

void
log_to(int fd)
{
	out = fd;
}

bool
log_wants(enum level level)
{
	return level >= least;
}

void
log_line(enum level level, const char *message, ...)
{
	struct log_text t;
	const char *key;
	va_list ap;

	if (!log_wants(level))
		return;
	log_begin(&t, level);
	log_put(&t, "message", message);
	va_start(ap, message);
	while ((key = va_arg(ap, const char *)) != NULL)
		log_put(&t, key, va_arg(ap, const char *));
	va_end(ap);
	log_end(&t);
}

bool
log_open(const char *name, const char *level)
{
	program = name;
	for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++) {
		if (strcmp(level, level_names[i]) == 0) {
			least = (enum level)i;
			return true;
		}
	}
	return false;
}
