#include "otlp.h"
#include "fn.h"
#include "keeper.h"
#include "log.h"
#include "otlp_post.h"
#include "otlp_settings.h"
#include "span.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

COUNTER(sent, "otel_spans_total", "outcome=\"sent\"", "Spans of traces by what became of them");
COUNTER(dropped, "otel_spans_total", "outcome=\"dropped\"", "Spans of traces by what became of them");

enum {
	ENOUGH = 512,			/* spans, to be sent at once */
	LINGER_MS = 1000,		/* for fewer */
	QUIET_MS = 200,			/* that the others take to end */
	BATCH = 1 << 20,		/* bytes that wait for the collector, at most */
	FIRST_BACKOFF_MS = 1000,
	MAX_BACKOFF_MS = 30000
};

static int inbox = -1;
static pid_t beside;
static volatile sig_atomic_t stopping;

bool
otlp_open(const char *function)
{
	int ends[2];

	if (!otlp_is_asked_for())
		return true;
	if (!otlp_read_settings(function))
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		perror("souk: traces cannot be exported: socketpair");
		return false;
	}
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
	const char *body = strstr(answer, "\r\n\r\n") + 4;
	const char *at = strstr(body, "\"rejectedSpans\"");
	unsigned long rejected = at == NULL ? 0 :
	    strtoul(at + strcspn(at, "0123456789"), NULL, 10);

	rejected = rejected > batch.count ? batch.count : rejected;
	metric_add(&sent, batch.count - rejected);
	metric_add(&dropped, rejected);
	if (rejected > 0)
		log_line(LOG_WARN, "the collector does not take all spans", "answer", body, NULL);
}

/* What the specification calls retryable is kept, and sent again later. */
static void
try_later(const char *problem, const char *answer)
{
	const char *told = otlp_header(answer, "Retry-After:");
	long long seconds = told == NULL ? 0 : strtoll(told, NULL, 10);
	int64_t wait = seconds > MAX_BACKOFF_MS / 1000 ? MAX_BACKOFF_MS : seconds * 1000;

	if (batch.backoff_ms == 0)
		log_line(LOG_WARN, "the collector of traces is away", "problem", problem, NULL);
	batch.backoff_ms = batch.backoff_ms == 0 ? FIRST_BACKOFF_MS : 2 * batch.backoff_ms;
	if (batch.backoff_ms > MAX_BACKOFF_MS)
		batch.backoff_ms = MAX_BACKOFF_MS;
	batch.due = keeper_now() + (wait > batch.backoff_ms ? wait : batch.backoff_ms);
}

static int
post(char *answer, const char **problem)
{
	static const char before[] = "{\"resourceSpans\":[{\"resource\":{\"attributes\":[";
	static const char between[] = "]},\"scopeSpans\":[{\"scope\":{\"name\":\"souk\"},\"spans\":[";
	static const char after[] = "]}]}]}";
	const char *attributes = otlp_attributes();
	const struct iovec parts[] = {
#define PART(s, n) { (void *)(uintptr_t)(s), n }
		PART(before, strlen(before)), PART(attributes, strlen(attributes)),
		PART(between, strlen(between)), PART(batch.text, batch.length - 1),
		PART(after, strlen(after)),		/* instead of the last comma */
#undef PART
	};

	return otlp_post(otlp_collector(), parts, sizeof(parts) / sizeof(*parts), stopping,
	    answer, problem);
}

static void
deliver(void)
{
	static char answer[OTLP_ANSWER + 1];
	const char *problem;
	char status_text[12];
	int status = post(answer, &problem);

	snprintf(status_text, sizeof(status_text), "%d", status);
	if (status >= 200 && status < 300) {
		count_taken(answer);
		forget_batch();
	} else if (status == 0 || status == 429 || (status >= 502 && status <= 504)) {
		try_later(status == 0 ? problem : status_text, answer);
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
	sigdelset(&open_mask, SIGTERM);
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
	sigset_t term, before;

	if (!otlp_is_on())
		return;
	/* It may be told to end before it has come to itself, and is to send what there
	 * is even so. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	beside = fork();
	if (beside == 0)
		exit(otlp_export());
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void
otlp_end(void)
{
	if (beside <= 0)
		return;
	kill(beside, SIGTERM);
	waitpid(beside, NULL, 0);
}
