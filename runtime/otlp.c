#include "otlp.h"
#include "encoding.h"
#include "fn.h"
#include "keeper.h"
#include "log.h"
#include "peer.h"
#include "span.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

SETTING_TEXT(endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT", NULL,
    "Where an OpenTelemetry collector takes OTLP/HTTP: http://host:4318; without it no"
    " traces are exported");
SETTING_TEXT(traces_endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NULL,
    "The same for traces alone, with its whole path");
SETTING_TEXT(more_headers, "OTEL_EXPORTER_OTLP_HEADERS", NULL,
    "Headers for the collector: name=value,name=value");
SETTING_INT(patience_ms, "OTEL_EXPORTER_OTLP_TIMEOUT", 10000, 1, 600000,
    "Milliseconds that the collector has to take a batch");
SETTING_TEXT(service_name, "OTEL_SERVICE_NAME", NULL, "service.name of the spans (souk)");
SETTING_TEXT(resource, "OTEL_RESOURCE_ATTRIBUTES", NULL,
    "More that all spans say of where they come from: key=value,key=value");
SETTING_TEXT(sampler, "OTEL_TRACES_SAMPLER", "parentbased_always_on",
    "What is exported of traces begun here: parentbased_always_on, parentbased_always_off or"
    " parentbased_traceidratio; of others, what those who began them say");
SETTING_TEXT(sampler_argument, "OTEL_TRACES_SAMPLER_ARG", "1",
    "The share of parentbased_traceidratio, from 0 to 1");

COUNTER(sent, "otel_spans_total", "outcome=\"sent\"", "Spans of traces by what became of them");
COUNTER(dropped, "otel_spans_total", "outcome=\"dropped\"", "Spans of traces by what became of them");

enum {
	ENOUGH = 512,			/* spans, to be sent at once */
	LINGER_MS = 1000,		/* for fewer */
	QUIET_MS = 200,			/* that the others take to end */
	BATCH = 1 << 20,		/* bytes that wait for the collector, at most */
	FIRST_BACKOFF_MS = 1000,
	MAX_BACKOFF_MS = 30000,
	HEAD = 8 << 10,
	ANSWER = 16 << 10
};

static const char before[] = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[";
static const char between[] = "]},\"scopeSpans\":[{\"scope\":{\"name\":\"souk\"},\"spans\":[";
static const char after[] = "]}]}]}";

static char host[256], port[8], path[512], headers[HEAD], attributes[HEAD];
static uint64_t threshold;		/* of trace ids, as the sampler has it */
static int inbox = -1;
static pid_t beside;
static volatile sig_atomic_t stopping;

static bool
refuse(const char *name, const char *why)
{
	fprintf(stderr, "souk: %s %s\n", name, why);
	return false;
}

/* http://host[:port][/path]; a collector nearby speaks TLS to those far away. */
static bool
take_url(const char *name, const char *url, const char *suffix)
{
	const char *at = url + strlen("http://"), *end, *colon;
	size_t n, path_length;

	if (strncmp(url, "http://", strlen("http://")) != 0)
		return refuse(name, "must begin with http://, and lead to a collector nearby");
	end = at + strcspn(at, "/?#");
	colon = *at == '[' ? strchr(at, ']') : at;
	colon = colon == NULL ? NULL : memchr(colon, ':', (size_t)(end - colon));
	n = (size_t)((colon == NULL ? end : colon) - at);
	if (*at == '[' && n > 2 && at[n - 1] == ']')
		snprintf(host, sizeof(host), "%.*s", (int)(n - 2), at + 1);
	else
		snprintf(host, sizeof(host), "%.*s", (int)n, at);
	snprintf(port, sizeof(port), "%.*s", colon == NULL ? 2 : (int)(end - colon - 1),
	    colon == NULL ? "80" : colon + 1);
	path_length = strlen(end);
	while (*suffix != '\0' && path_length > 0 && end[path_length - 1] == '/')
		path_length--;
	snprintf(path, sizeof(path), "%.*s%s", (int)path_length, end, suffix);
	if (n == 0 || n >= sizeof(host) || strspn(port, "0123456789") != strlen(port) ||
	    *port == '\0' || path_length + strlen(suffix) >= sizeof(path) ||
	    strpbrk(url, " \t\r\n\"@") != NULL)
		return refuse(name, "must be http://host:port");
	if (*path == '\0')
		strcpy(path, "/");
	return true;
}

static int
hex_digit(char c)
{
	const char digits[] = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c | 0x20);

	return at == NULL ? -1 : (int)(at - digits);
}

/* In place. */
static void
decode(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		int high = *s == '%' ? hex_digit(s[1]) : -1;
		int low = high < 0 ? -1 : hex_digit(s[2]);

		*to++ = low < 0 ? *s : (char)(high << 4 | low);
		s += low < 0 ? 0 : 2;
	}
	*to = '\0';
}

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			return false;
	return true;
}

/* Of each pair of "key=value,key=value". */
static bool
each_pair(const char *name, const char *list, bool (*take)(const char *key, const char *value))
{
	char *copy = list == NULL ? NULL : strdup(list), *rest = copy, *pair;
	bool good = list == NULL || copy != NULL;

	while (good && (pair = strsep(&rest, ",")) != NULL) {
		char *value = strchr(pair, '=');

		pair += strspn(pair, " ");
		if (*pair == '\0')
			continue;
		good = value != NULL;
		if (!good)
			break;
		*value++ = '\0';
		decode(value);
		good = is_printable(pair) && is_printable(value) && take(pair, value);
	}
	free(copy);
	return good || refuse(name, "must be key=value,key=value");
}

static bool
add_header(const char *key, const char *value)
{
	size_t n = strlen(headers), room = sizeof(headers) - n;

	return strpbrk(key, " :") == NULL &&
	    (size_t)snprintf(headers + n, room, "%s: %s\r\n", key, value) < room;
}

static bool
put_attribute(const char *key, const char *value)
{
	size_t n = strlen(attributes), room = sizeof(attributes) - n;

	return is_printable(key) && is_printable(value) && (size_t)snprintf(attributes + n, room,
	    "%s{\"key\":\"%s\",\"value\":{\"stringValue\":\"%s\"}}", n == 0 ? "" : ",",
	    key, value) < room;
}

static bool named;		/* by the resource's attributes */

/* What a setting of its own says comes before them. */
static bool
add_attribute(const char *key, const char *value)
{
	bool names = strcmp(key, "service.name") == 0;

	if (strcmp(key, "faas.name") == 0 || (names && service_name.text != NULL))
		return true;
	named = named || names;
	return put_attribute(key, value);
}

static bool
describe_resource(const char *function)
{
	const char *service = service_name.text;

	if (!put_attribute("faas.name", function) ||
	    !each_pair("OTEL_RESOURCE_ATTRIBUTES", resource.text, add_attribute))
		return false;
	return named || put_attribute("service.name", service == NULL ? "souk" : service) ||
	    refuse("OTEL_SERVICE_NAME", "must be a name");
}

static bool
choose_sampler(void)
{
	char *end;
	double share = strtod(sampler_argument.text, &end);

	if (strcmp(sampler.text, "parentbased_always_on") == 0)
		share = 1;
	else if (strcmp(sampler.text, "parentbased_always_off") == 0)
		share = 0;
	else if (strcmp(sampler.text, "parentbased_traceidratio") != 0)
		return refuse("OTEL_TRACES_SAMPLER", "must be parentbased_always_on,"
		    " parentbased_always_off or parentbased_traceidratio");
	else if (*end != '\0' || end == sampler_argument.text || !(share >= 0 && share <= 1))
		return refuse("OTEL_TRACES_SAMPLER_ARG", "must be from 0 to 1");
	threshold = share >= 1 ? UINT64_MAX : (uint64_t)(share * 18446744073709551616.0);
	return true;
}

bool
otlp_samples(const char *trace_id)
{
	/* The random half of an id: the same answer wherever it is asked. */
	uint64_t n = strtoull(trace_id + 16, NULL, 16);

	return threshold == UINT64_MAX || n < threshold;
}

bool
otlp_open(const char *function)
{
	int ends[2];
	bool own = traces_endpoint.text != NULL;

	if (!own && endpoint.text == NULL)
		return true;
	if (!(own ? take_url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces_endpoint.text, "")
	    : take_url("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.text, "/v1/traces")) ||
	    !each_pair("OTEL_EXPORTER_OTLP_HEADERS", more_headers.text, add_header) ||
	    !describe_resource(function) || !choose_sampler())
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return refuse("OTEL_EXPORTER_OTLP_ENDPOINT", "cannot be served: no sockets");
	inbox = ends[0];
	span_send_to(ends[1]);
	return true;
}

bool
otlp_is_on(void)
{
	return inbox >= 0;
}

/* What waits to be sent: "{...},{...}," */
static struct {
	unsigned count;
	size_t	 length;
	int64_t	 due;			/* when it is to be sent, in keeper_now() */
	int64_t	 backoff_ms;		/* after the last failure; 0: none */
	char	 text[BATCH];
} batch;

/* One message.  False when there is none. */
static bool
take_message(void)
{
	static struct span_message in;
	ssize_t n = recv(inbox, &in, sizeof(in), MSG_DONTWAIT);
	size_t length = (size_t)n - offsetof(struct span_message, text);

	if (n <= (ssize_t)offsetof(struct span_message, text))
		return false;
	if (length > sizeof(batch.text) - batch.length) {
		metric_add(&dropped, in.count);
		return true;
	}
	if (batch.count == 0)
		batch.due = keeper_now() + LINGER_MS;
	memcpy(batch.text + batch.length, in.text, length);
	batch.length += length;
	batch.count += in.count;
	return true;
}

static int connection = -1;

static void
hang_up(void)
{
	if (connection >= 0)
		close(connection);
	connection = -1;
}

static bool
connect_to_collector(void)
{
	enum { LAST_MS = 1000 };	/* or nobody could end for as long */
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	int64_t ms = stopping && patience_ms.number > LAST_MS ? LAST_MS : patience_ms.number;
	const struct timeval patience = { ms / 1000, ms % 1000 * 1000 };
	struct addrinfo *all;

	if (connection >= 0 && (stopping || peer_is_gone(connection)))
		hang_up();
	if (connection >= 0)
		return true;
	if (getaddrinfo(host, port, &hints, &all) != 0)
		return false;
	for (const struct addrinfo *a = all; a != NULL && connection < 0; a = a->ai_next) {
		connection = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (connection >= 0 && connect(connection, a->ai_addr, a->ai_addrlen) != 0)
			hang_up();
	}
	freeaddrinfo(all);
	return connection >= 0;
}

static bool
write_batch(void)
{
	char head[HEAD + 1024];
	size_t spans = batch.length - 1;	/* not the last comma */
	size_t n = strlen(before) + strlen(attributes) + strlen(between) + spans + strlen(after);
	int length = snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: %s%s%s:%s\r\n"
	    "User-Agent: souk\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
	    path, strchr(host, ':') == NULL ? "" : "[", host, strchr(host, ':') == NULL ? "" : "]",
	    port, n, headers);
	const struct iovec parts[] = {
		{ head, (size_t)length },
		{ (void *)(uintptr_t)before, strlen(before) }, { attributes, strlen(attributes) },
		{ (void *)(uintptr_t)between, strlen(between) }, { batch.text, spans },
		{ (void *)(uintptr_t)after, strlen(after) },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		for (size_t done = 0; done < parts[i].iov_len; ) {
			ssize_t written = send(connection, (char *)parts[i].iov_base + done,
			    parts[i].iov_len - done, MSG_NOSIGNAL);

			if (written <= 0)
				return false;
			done += (size_t)written;
		}
	return true;
}

static const char *
header(const char *answer, const char *name)
{
	const char *at = strcasestr(answer, name), *end = strstr(answer, "\r\n\r\n");

	return at == NULL || end == NULL || at > end ? NULL : at + strlen(name);
}

/* The status, or 0.  One that is longer than we read, or does not say how long it
 * is, is the last of its connection. */
static int
read_answer(char *answer)
{
	size_t n = 0, whole = 0;

	while (n < ANSWER && (whole == 0 || n < whole)) {
		ssize_t got = recv(connection, answer + n, ANSWER - n, 0);
		const char *end, *length;

		if (got <= 0)
			break;
		n += (size_t)got;
		answer[n] = '\0';
		end = strstr(answer, "\r\n\r\n");
		if (whole > 0 || end == NULL)
			continue;
		length = header(answer, "\r\nContent-Length:");
		whole = (size_t)(end - answer) + 4 +
		    (length == NULL ? 0 : (size_t)strtoul(length, NULL, 10));
		if (length == NULL)
			hang_up();
		if (length == NULL)
			break;
	}
	answer[n] = '\0';
	if (whole == 0 || n < whole || header(answer, "\r\nConnection: close") != NULL)
		hang_up();
	return strncmp(answer, "HTTP/1.", 7) == 0 && n > 12 ? atoi(answer + 9) : 0;
}

static void
forget_batch(void)
{
	batch.count = 0;
	batch.length = 0;
	batch.backoff_ms = 0;
}

/* A collector may take some and not others. */
static void
count_taken(const char *answer)
{
	const char *at = strstr(answer, "\"rejectedSpans\"");
	unsigned long rejected = at == NULL ? 0 :
	    strtoul(at + strcspn(at, "0123456789"), NULL, 10);

	rejected = rejected > batch.count ? batch.count : rejected;
	metric_add(&sent, batch.count - rejected);
	metric_add(&dropped, rejected);
	if (rejected > 0)
		log_line(LOG_WARN, "the collector does not take all spans", "answer",
		    strstr(answer, "\r\n\r\n") + 4, NULL);
}

/* What the specification calls retryable is kept, and sent again later. */
static void
try_later(const char *problem, const char *answer)
{
	const char *told = *answer == '\0' ? NULL : header(answer, "\r\nRetry-After:");
	int64_t wait = told == NULL ? 0 : strtoll(told, NULL, 10) * 1000;

	if (batch.backoff_ms == 0)
		log_line(LOG_WARN, "the collector of traces is away", "problem", problem, NULL);
	batch.backoff_ms = batch.backoff_ms == 0 ? FIRST_BACKOFF_MS : 2 * batch.backoff_ms;
	if (batch.backoff_ms > MAX_BACKOFF_MS)
		batch.backoff_ms = MAX_BACKOFF_MS;
	wait = wait > batch.backoff_ms ? wait : batch.backoff_ms;
	batch.due = keeper_now() + (wait < MAX_BACKOFF_MS ? wait : MAX_BACKOFF_MS);
}

static void
deliver(void)
{
	static char answer[ANSWER + 1];
	char status_text[8];
	int status = 0;

	*answer = '\0';
	if (connect_to_collector() && write_batch())
		status = read_answer(answer);
	else
		hang_up();
	snprintf(status_text, sizeof(status_text), "%d", status);
	if (status >= 200 && status < 300) {
		count_taken(answer);
		forget_batch();
	} else if (status == 0 || status == 429 || (status >= 502 && status <= 504)) {
		try_later(status == 0 ? "no answer" : status_text, answer);
	} else {
		log_line(LOG_ERROR, "the collector refuses spans", "status", status_text, NULL);
		metric_add(&dropped, batch.count);
		forget_batch();
	}
}

static void
stop(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

/* Until somebody sends something, or the batch is due.  False when it is quiet. */
static bool
wait_for_spans(const sigset_t *open_mask)
{
	struct pollfd p = { inbox, POLLIN, 0 };
	int64_t left = stopping ? QUIET_MS : batch.due - keeper_now();
	struct timespec t;

	left = left < 0 ? 0 : left;
	t = (struct timespec){ left / 1000, left % 1000 * 1000000 };
	return ppoll(&p, 1, batch.count == 0 && !stopping ? NULL : &t, open_mask) > 0;
}

int
otlp_export(void)
{
	struct sigaction sa = { .sa_handler = stop };
	sigset_t blocked, open_mask;
	bool quiet = false;

	sigaction(SIGTERM, &sa, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &open_mask);
	while (!stopping || !quiet) {
		bool was_stopping = stopping;

		quiet = !wait_for_spans(&open_mask) && was_stopping;
		while (batch.count < ENOUGH || batch.backoff_ms > 0)
			if (!take_message())
				break;
		if (batch.count > 0 && (batch.due <= keeper_now() ||
		    (batch.count >= ENOUGH && batch.backoff_ms == 0)))
			deliver();
	}
	if (batch.count > 0)
		deliver();
	metric_add(&dropped, batch.count);
	return 0;
}

void
otlp_begin(void)
{
	if (!otlp_is_on())
		return;
	beside = fork();
	if (beside == 0)
		exit(otlp_export());
}

void
otlp_end(void)
{
	if (beside <= 0)
		return;
	kill(beside, SIGTERM);
	waitpid(beside, NULL, 0);
}
