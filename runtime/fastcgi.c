/*
 * The worker loop.  libfcgi parses; accepting and answering are ours.
 *
 * libfcgi's own loop makes eight system calls a request, two of them polls
 * that wait for the peer's farewell.  Here a request costs accept, read, one
 * gathered write and close, which lets lighttpd and a function do about a
 * third more (tests/bench).  The fields of FCGX_Request that this sets are
 * below its "don't use" line: tests/unit/fastcgi.c holds libfcgi to them.
 */
#include "crowd.h"
#include "db.h"
#include "fastcgi.h"
#include "redis.h"
#include "response.h"
#include "wake.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

SETTING_INT(idle_s, "FN_IDLE_S", 30, 1, 86400,
    "Seconds without a request after which connections are let go");
SETTING_INT(max_requests, "FN_MAX_REQUESTS", 100000, 0, 1000000000,
    "Requests after which a worker is replaced; 0 is never");
SETTING_INT(hang_s, "FN_HANG_S", 0, 0, 3600,
    "Seconds after which a request is hung and its worker dies; 0 is the endpoint's own");

SETTING_INT(sleep_s, "FN_SLEEP_S", 0, 0, 86400,
    "Seconds without a request after which a function ends, to be started again by the"
    " next one: only for who keeps its socket, as the supervisor and systemd do; 0 is never");

#pragma weak db_disconnect

enum {
	EXIT_HUNG = 75,
	STDOUT_RECORD = 6,	/* FastCGI 1.0, 8 */
	END_RECORD = 3
};

static volatile sig_atomic_t stopping, serving;
static int nowhere = -1;

/*
 * A worker told to stop between looking at `stopping` and accepting would
 * sleep in accept for ever.  So the listening socket goes away under it: the
 * accept that is running restarts, finds no socket, and fails.
 */
static void
stop(int signal_number)
{
	(void)signal_number;
	stopping = 1;
	dup2(nowhere, STDIN_FILENO);
}

/* Whoever serves nothing when the alarm rings is only idle. */
static void
hang(int signal_number)
{
	static const char line[] =
	    "{\"level\":\"error\",\"message\":\"a request hung; its worker dies\"}\n";
	ssize_t written;

	(void)signal_number;
	if (!serving)
		return;
	written = write(STDERR_FILENO, line, sizeof(line) - 1);
	(void)written;
	_exit(EXIT_HUNG);
}

static void
catch_signals(void)
{
	struct sigaction sa = { .sa_flags = SA_RESTART };

	nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sa.sa_handler = stop;
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = hang;
	sigaction(SIGALRM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void
let_connections_go(void)
{
	redis_disconnect();
	if (db_disconnect != NULL)
		db_disconnect();
}

static unsigned
patience(void)
{
	int longest = 0;

	if (hang_s.number > 0)
		return (unsigned)hang_s.number;
	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++) {
		int s = (*at)->endpoint->timeout_s == 0 ? 30 : (*at)->endpoint->timeout_s;

		longest = s > longest ? s : longest;
	}
	return (unsigned)longest;
}

/* To the end of the stream: closing a socket with bytes unread in it resets
 * the connection, and the answer may be lost with them. */
static void
read_rest(FCGX_Request *f)
{
	char ignored[4096];

	while (FCGX_GetStr(ignored, sizeof(ignored), f->in) > 0)
		continue;
}

/* Bounds what a broken peer can hold up. */
enum { TURN_AWAY_S = 1 };

/* The body, as long as it is announced and allowed to any endpoint here: which
 * one it is for is not known yet. */
static void
read_body(struct req *rq, FCGX_Request *f, struct incoming *in)
{
	const char *announced = FCGX_GetParam("CONTENT_LENGTH", f->envp);
	unsigned long long n = announced == NULL ? 0 : strtoull(announced, NULL, 10);
	char *body;
	int got;

	in->body = "";
	if (n == 0 || n > request_body_limit_of_all()) {
		in->too_large = n > 0;
		read_rest(f);
		return;
	}
	body = arena_alloc(&rq->arena, (size_t)n + 1);
	got = FCGX_GetStr(body, (int)n, f->in);
	in->body = body;
	in->body_length = got < 0 ? 0 : (size_t)got;
	in->cut_short = in->body_length < n;
	read_rest(f);
}

static void
put_record(unsigned char *to, unsigned char type, size_t length)
{
	/* FastCGI 1.0, 3.3: version, type, request id, length, padding. */
	const unsigned char header[8] = { 1, type, 0, 1,
	    (unsigned char)(length >> 8), (unsigned char)length, 0, 0 };

	memcpy(to, header, sizeof(header));
}

static bool
write_all(int fd, struct iovec *parts, int n)
{
	while (n > 0) {
		ssize_t written = writev(fd, parts, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		for (; n > 0 && (size_t)written >= parts->iov_len; n--)
			written -= (ssize_t)(parts++)->iov_len;
		if (n > 0) {
			parts->iov_base = (char *)parts->iov_base + written;
			parts->iov_len -= (size_t)written;
		}
	}
	return true;
}

enum { MAX_RECORD = 65528, MAX_PARTS = 64 };

/* Gathers what goes out until there is no more room, or no more of it. */
struct answer {
	int fd, count;
	bool broken;
	unsigned char records[MAX_PARTS][8];
	struct iovec parts[2 * MAX_PARTS + 1];
};

static void
answer_put(struct answer *a, const char *bytes, size_t n)
{
	while (n > 0 && !a->broken) {
		size_t length = n < MAX_RECORD ? n : MAX_RECORD;
		unsigned char *record = a->records[a->count / 2];

		put_record(record, STDOUT_RECORD, length);
		a->parts[a->count++] = (struct iovec){ record, 8 };
		a->parts[a->count++] = (struct iovec){ (void *)(uintptr_t)bytes, length };
		bytes += length;
		n -= length;
		if (a->count == 2 * MAX_PARTS) {
			a->broken = !write_all(a->fd, a->parts, a->count);
			a->count = 0;
		}
	}
}

/* The whole answer in one write, where it fits the socket's buffer. */
static void
write_answer(int fd, struct req *rq)
{
	unsigned char ends[8 + 16] = { 0 };
	struct answer a;
	const char *bytes;
	size_t n;

	a.fd = fd;
	a.count = 0;
	a.broken = false;
	bytes = response_head(rq, &n);
	answer_put(&a, bytes, n);
	bytes = response_body(rq, &n);
	answer_put(&a, bytes, n);
	put_record(ends, STDOUT_RECORD, 0);
	put_record(ends + 8, END_RECORD, 8);
	a.parts[a.count++] = (struct iovec){ ends, sizeof(ends) };
	if (!a.broken)
		write_all(fd, a.parts, a.count);
}

static _Atomic int64_t own, *busy = &own;	/* the last second with a request */

static int64_t
second(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

bool
fastcgi_may_sleep(int64_t *patience_ms)
{
	void *shared = sleep_s.number == 0 ? MAP_FAILED : mmap(NULL, sizeof(*busy),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return false;
	*patience_ms = sleep_s.number * 1000;
	busy = shared;
	*busy = second();
	return true;
}

int64_t
fastcgi_idle_since(void)
{
	return *busy * 1000;
}

/* A process serves, keeps a schedule or helps: one request at a time.  (gcc 12
 * puts one that only fastcgi_schedule() knows into read-only memory.) */
static struct req one;

static void
serve_one(struct req *rq, FCGX_Request *f, int fd, void (*decide)(struct req *))
{
	struct incoming in = { .body = "" };

	f->ipcFd = fd;
	f->keepConnection = 1;		/* or accepting would first close it */
	if (FCGX_Accept_r(f) < 0)
		return;			/* a silent or broken peer; fd is closed */
	if (decide == dispatch)
		read_body(rq, f, &in);
	else
		read_rest(f);
	in.variables = f->envp;
	request_begin(rq, &in);
	/* Who only asks how it is, keeps nobody awake. */
	if (!one_of(rq->uri, "/health", "/ready"))
		*busy = second();
	decide(rq);
	write_answer(fd, rq);
	close(fd);
	dispatch_after(rq);
	request_end(rq);
	FCGX_Free(f, 0);	/* the variables that rq has pointed into */
	f->ipcFd = -1;
}

void
fastcgi_turn_away(int fd)
{
	const struct timeval patience = { TURN_AWAY_S, 0 };
	static FCGX_Request f;
	static bool ready;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!ready && (FCGX_Init() != 0 || FCGX_InitRequest(&f, -1, 0) != 0)) {
		close(fd);
		return;
	}
	ready = true;
	serve_one(&one, &f, fd, dispatch_turn_away);
}

int
fastcgi_is_available(void)
{
	int listening = 0;
	socklen_t n = sizeof(listening);

	return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 &&
	    listening;
}

/*
 * The alarm is set anew once a second only, and a second later than it must
 * ring: a busy worker would otherwise make two system calls a request for it.
 */
static void
set_alarm(unsigned seconds)
{
	static int64_t set;
	int64_t now = second();

	if (now == set)
		return;
	alarm(seconds + 1);
	set = now;
}

/* Alone, a worker ends after FN_SLEEP_S; in a crew its master decides. */
static bool
has_idled(void)
{
	return busy == &own && sleep_s.number > 0 && second() - *busy >= sleep_s.number;
}

int
fastcgi_serve(int slot)
{
	struct timeval idle = { idle_s.number, 0 };
	int64_t left = max_requests.number;
	unsigned seconds = patience();
	FCGX_Request f;

	crowd_free(slot);	/* whoever had it before may have died at work */
	own = second();
	catch_signals();
	if (FCGX_Init() != 0 || FCGX_InitRequest(&f, -1, 0) != 0)
		return 1;
	setsockopt(STDIN_FILENO, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
	while (!stopping && (max_requests.number == 0 || left-- > 0)) {
		int fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			crowd_take(slot);
			set_alarm(seconds);
			serving = 1;
			serve_one(&one, &f, fd, dispatch);
			serving = 0;
			crowd_free(slot);
		} else if (errno == EAGAIN) {
			let_connections_go();
			if (has_idled())
				break;
			left++;
		} else if (!stopping && errno != EINTR && errno != ECONNABORTED) {
			log_line(LOG_ERROR, "accept failed", "problem", strerror(errno), NULL);
			return 1;
		}
	}
	let_connections_go();
	return 0;
}

static void
run_scheduled(struct req *rq, const struct entry *entry)
{
	char *const none[] = { NULL };
	struct incoming in = { .variables = none, .body = "" };

	request_begin(rq, &in);
	rq->method = "POST";
	rq->uri = entry->endpoint->path;
	rq->trusted = true;
	rq->scheduled = true;
	/* A trace of each look at whether there is anything to do helps nobody: it has
	 * one from when there is (span_begin()). */
	rq->inside_trace[0] = '\0';
	dispatch(rq);
	dispatch_after(rq);
	request_end(rq);
}

static void
run_in_time(struct req *rq, const struct entry *entry)
{
	alarm(patience());
	serving = 1;
	run_scheduled(rq, entry);
	serving = 0;
	alarm(0);
}

/* When it has to run again: as it said itself, but at least as often as it
 * declares, or now and then where it will be woken.  Nothing wakes it where Redis
 * is away, nor for what it failed to do. */
static uint64_t
next_run(const struct entry *entry, const struct req *rq, bool listening)
{
	uint64_t at_most = entry->endpoint->woken_by != NULL && listening &&
	    rq->error == ERR_NONE ? WAKE_POLL_S * UINT64_C(1000000)
	    : (uint64_t)entry->endpoint->every_s * 1000000;
	uint64_t wished = rq->again_us >= 0 ? (uint64_t)rq->again_us : at_most;

	return now_us() + (wished < at_most ? wished : at_most);
}

static uint64_t
run_due(struct req *rq, uint64_t *due, bool listening)
{
	size_t n = (size_t)(__stop_endpoints - __start_endpoints);
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < n && !stopping; i++) {
		const struct entry *entry = __start_endpoints[i];

		if (entry->endpoint->every_s == 0)
			continue;
		if (due[i] <= now_us()) {
			run_in_time(rq, entry);
			due[i] = next_run(entry, rq, listening);
		}
		next = due[i] < next ? due[i] : next;
	}
	return next;
}

/* NULL: everything that is ever woken. */
static void
wake(const char *topic, void *table)
{
	uint64_t *due = table;
	size_t n = (size_t)(__stop_endpoints - __start_endpoints);

	for (size_t i = 0; i < n; i++) {
		const struct endpoint *e = __start_endpoints[i]->endpoint;
		uint64_t at = now_us() + (uint64_t)e->woken_after_s * 1000000;

		if (e->woken_by != NULL && (topic == NULL || strcmp(topic, e->woken_by) == 0))
			due[i] = at < due[i] ? at : due[i];
	}
}

static bool
is_ever_woken(void)
{
	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++)
		if ((*at)->endpoint->woken_by != NULL)
			return true;
	return false;
}

/* True when something is to be heard at fd.  Woken by SIGTERM too, even by one
 * that came just before. */
static bool
sleep_until(uint64_t us, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = now_us();
	struct timespec left;
	sigset_t blocked, open_mask;
	int ready = 0;

	us = us < now ? now : us;
	left = (struct timespec){ (time_t)((us - now) / 1000000),
	    (long)((us - now) % 1000000 * 1000) };
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &open_mask);
	if (!stopping)
		ready = ppoll(&p, 1, &left, &open_mask);
	sigprocmask(SIG_SETMASK, &open_mask, NULL);
	return ready > 0;
}

/* Whether the last run ended well. */
static bool
schedule_until(uint64_t end)
{
	uint64_t *due = calloc((size_t)(__stop_endpoints - __start_endpoints), sizeof(*due));
	bool listens = is_ever_woken();
	int ear = -1;

	catch_signals();
	while (!stopping && due != NULL && now_us() < end) {
		bool anew = false, heard = ear >= 0;
		uint64_t next;

		/* Before the work: what is said during it is heard after it.  What
		 * was said while nothing could be heard has to be looked for. */
		if (listens)
			ear = wake_listen(&anew);
		if (anew || (heard && ear < 0))
			wake(NULL, due);
		next = run_due(&one, due, ear >= 0);
		if (sleep_until(next < end ? next : end, ear))
			wake_hear(wake, due);
	}
	free(due);
	wake_stop_listening();
	let_connections_go();
	return one.status < 300;
}

int
fastcgi_schedule(void)
{
	schedule_until(UINT64_MAX);
	return 0;
}

int
fastcgi_schedule_for(int seconds)
{
	return schedule_until(now_us() + (uint64_t)seconds * 1000000) ? 0 : 1;
}

/* Rung by whoever has too much to do; the first helper to reach it goes. */
static int bell = -1;

void
fastcgi_hang_bell(void)
{
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void
req_call_help(struct req *rq)
{
	if (rq->entry->endpoint->helpers > 0 && bell >= 0)
		eventfd_write(bell, 1);
}

int
fastcgi_help(void)
{
	eventfd_t rings;

	catch_signals();
	while (!stopping) {
		if (!sleep_until(UINT64_MAX, bell) || eventfd_read(bell, &rings) != 0)
			continue;
		for (const struct entry *const *at = __start_endpoints;
		    at < __stop_endpoints && !stopping; at++)
			if ((*at)->endpoint->helpers > 0)
				run_in_time(&one, *at);
		let_connections_go();
	}
	return 0;
}
