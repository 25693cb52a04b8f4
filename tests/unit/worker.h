/*
 * worker.h -- a worker of its own for every test, listening in a directory of
 * its own.
 */
#ifndef WORKER_H
#define WORKER_H

#include "fastcgi.h"
#include "listen.h"
#include "log.h"
#include "settings.h"

#include "fixture.h"
#include "fastcgi_client.h"

#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>

enum { PATIENCE_MS = 20000 };

#define SERVES(fn, m, p, ...)						\
	ENDPOINT(fn) = { .method = HTTP_##m, .path = p,			\
	    .access = ACCESS_PUBLIC, .rate = RATE_NONE, __VA_ARGS__ };	\
	static struct status fn(struct req *rq)

static int started[2], proceed[2];

SERVES(small, GET, "/small", .summary = "A little")
{
	return reply_json(rq, 200, "{\"ok\":true}");
}

SERVES(wait_for_word, GET, "/wait", .summary = "Says that it runs, and answers when it is told to")
{
	char c;

	if (write(started[1], "x", 1) != 1 || read(proceed[0], &c, 1) != 1)
		return fail(rq, ERR_INTERNAL);
	return reply_json(rq, 200, "{\"waited\":true}");
}

static char directory[64];
static pid_t worker;

static inline void
start_worker(void)
{
	char error[256];
	int listening = listen_at(directory, "fn", error, sizeof(error));

	assert_true(listening >= 0);
	worker = fork();
	assert_true(worker >= 0);
	if (worker == 0) {
		dup2(listening, STDIN_FILENO);
		close(listening);
		_exit(settings_read() ? fastcgi_serve(0) : 1);
	}
	close(listening);
}

/* The exit status of the worker, which must not take for ever. */
static inline int
worker_exit(void)
{
	struct pollfd ended = { .fd = pidfd_open(worker, 0), .events = POLLIN };
	int status = -1;

	assert_true(ended.fd >= 0);
	assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	close(ended.fd);
	assert_int_equal(waitpid(worker, &status, 0), worker);
	worker = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline int
set_up(void **state)
{
	(void)state;
	unsetenv("FN_MAX_REQUESTS");
	unsetenv("FN_HANG_S");
	if (pipe(started) != 0 || pipe(proceed) != 0)
		return -1;
	start_worker();
	return 0;
}

static inline int
tear_down(void **state)
{
	char path[128];

	(void)state;
	if (worker > 0) {
		kill(worker, SIGKILL);
		waitpid(worker, NULL, 0);
	}
	for (int i = 0; i < 2; i++) {
		close(started[i]);
		close(proceed[i]);
	}
	listen_path(path, sizeof(path), directory, "fn");
	return unlink(path);
}

static inline int
connect_to_worker(void)
{
	char path[128];

	assert_true(listen_path(path, sizeof(path), directory, "fn"));
	return client_connect(path);
}

static inline const struct answer *
get(const char *target)
{
	int fd = connect_to_worker();

	client_begin(fd, "GET", target, NULL, NULL);
	client_end(fd);
	return client_read(fd);
}

static inline void
assert_alive(void)
{
	const struct answer *a = get("/small");

	assert_true(a->whole);
	assert_int_equal(a->status, 200);
	assert_string_equal(a->body, "{\"ok\":true}");
}

static inline int
make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/fastcgi.XXXXXX");
	log_open("test", "error");
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static inline int
remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

#endif
