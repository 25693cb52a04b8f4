/*
 * Log lines: one JSON object a line on stderr, in one write, so that the
 * lines of many processes do not mix.
 */
#include "fn.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static enum level least = LOG_INFO;
static const char *program = "souk";

static void
put(struct log_text *t, const char *s, size_t n)
{
	size_t room = sizeof(t->bytes) - 2 - t->length;

	if (n > room)
		n = room;
	memcpy(t->bytes + t->length, s, n);
	t->length += n;
}

static void
put_escaped(struct log_text *t, const char *s)
{
	static const char hex[] = "0123456789abcdef";
	size_t end = t->length + LOG_VALUE;

	for (; *s != '\0' && t->length < end; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0xc0 && end - t->length < 4)
			break;		/* or it might be cut in the middle */
		if (c == '"' || c == '\\') {
			put(t, (char[]){ '\\', *s }, 2);
		} else if (c < 0x20 || c == 0x7f) {
			put(t, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
		} else {
			put(t, s, 1);
		}
	}
}

/* A pair that does not fit is left out: half of one would spoil the line. */
static bool
fits(const struct log_text *t, const char *key, size_t n)
{
	return t->length + strlen(key) + n + sizeof(",\"\":\"\"}\n") <= sizeof(t->bytes);
}

void
log_put_raw(struct log_text *t, const char *key, const char *json)
{
	if (!fits(t, key, strlen(json)))
		return;
	put(t, ",\"", 2);
	put(t, key, strlen(key));
	put(t, "\":", 2);
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
	char digits[24];

	snprintf(digits, sizeof(digits), "%lld", value);
	log_put_raw(t, key, digits);
}

void
log_begin(struct log_text *t, enum level level)
{
	struct timespec now;
	struct tm utc;
	int n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	n = snprintf(t->bytes, sizeof(t->bytes),
	    "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\",\"level\":\"%s\","
	    "\"function\":\"%s\"", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
	    utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000,
	    level_names[level], program);
	t->length = (size_t)n;
}

void
log_end(struct log_text *t)
{
	ssize_t written;

	t->bytes[t->length++] = '}';
	t->bytes[t->length++] = '\n';
	written = write(STDERR_FILENO, t->bytes, t->length);
	(void)written;		/* nowhere to report a log that cannot be written */
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
