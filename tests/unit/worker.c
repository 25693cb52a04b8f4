/*
 * When a worker ends: on SIGTERM, after its share of requests, or because a
 * request hangs.
 */
#include "worker.h"

#include <sys/syscall.h>

enum { EXIT_HUNG = 75 };

static bool stop_at_accept;

/* In place of the C library's, for the runtime in this program only. */
int	accept_here(int, struct sockaddr *, socklen_t *, int) __asm__("accept4");

int
accept_here(int fd, struct sockaddr *address, socklen_t *n, int flags)
{
	if (stop_at_accept)
		raise(SIGTERM);
	return (int)syscall(SYS_accept4, fd, address, n, flags);
}

SERVES(hang, GET, "/hang", .summary = "Never answers")
{
	for (;;)
		pause();
	return fail(rq, ERR_INTERNAL);
}

static void
sigterm_ends_an_idle_worker(void **state)
{
	(void)state;
	assert_alive();
	kill(worker, SIGTERM);
	assert_int_equal(worker_exit(), 0);
}

static void
sigterm_lets_a_running_request_finish(void **state)
{
	int fd = connect_to_worker();
	const struct answer *a;
	char c;

	(void)state;
	client_begin(fd, "GET", "/wait", NULL, NULL);
	client_end(fd);
	assert_int_equal(read(started[0], &c, 1), 1);
	kill(worker, SIGTERM);
	assert_int_equal(write(proceed[1], "x", 1), 1);
	a = client_read(fd);
	assert_true(a->whole);
	assert_string_equal(a->body, "{\"waited\":true}");
	assert_int_equal(worker_exit(), 0);
}

/* Between the worker's last look at whether to stop and its going to sleep. */
static void
sigterm_just_before_accept_is_not_missed(void **state)
{
	tear_down(state);
	assert_int_equal(pipe(started) + pipe(proceed), 0);
	stop_at_accept = true;
	start_worker();
	stop_at_accept = false;
	assert_int_equal(worker_exit(), 0);
}

/* One alone has no master to send it home. */
static void
a_lone_worker_sleeps_when_nobody_comes(void **state)
{
	tear_down(state);
	unsetenv("FN_MAX_REQUESTS");
	setenv("FN_IDLE_S", "1", 1);
	setenv("FN_SLEEP_S", "1", 1);
	assert_int_equal(pipe(started) + pipe(proceed), 0);
	start_worker();
	assert_alive();
	assert_int_equal(worker_exit(), 0);
}

static void
a_worker_retires_after_its_share(void **state)
{
	tear_down(state);
	setenv("FN_MAX_REQUESTS", "3", 1);
	assert_int_equal(pipe(started) + pipe(proceed), 0);
	start_worker();
	for (int i = 0; i < 3; i++)
		assert_alive();
	assert_int_equal(worker_exit(), 0);
}

static void
a_hung_request_ends_its_worker(void **state)
{
	tear_down(state);
	setenv("FN_HANG_S", "1", 1);
	assert_int_equal(pipe(started) + pipe(proceed), 0);
	start_worker();
	assert_false(get("/hang")->whole);
	assert_int_equal(worker_exit(), EXIT_HUNG);
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(sigterm_ends_an_idle_worker),
		TEST(sigterm_lets_a_running_request_finish),
		TEST(sigterm_just_before_accept_is_not_missed),
		TEST(a_worker_retires_after_its_share),
		TEST(a_hung_request_ends_its_worker),
		TEST(a_lone_worker_sleeps_when_nobody_comes),
	};

	return cmocka_run_group_tests_name("worker", tests, make_directory, remove_directory);
}
