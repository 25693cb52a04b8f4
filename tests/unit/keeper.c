/*
 * The keeper and the prefork master, with real processes.
 *
 * Every test starts a host process that keeps workers; the workers tell the
 * test what happens to them through a pipe, and the test waits for what they
 * say, never for time to pass.
 */
#include "keeper.h"
#include "master.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* NOBODY: everyone who could tell something is gone. */
enum what { STARTED, ENDED, REPORT, NOBODY };
enum { PATIENCE_MS = 20000, SCHEDULER = 100, HELPER = 101 };

struct event { enum what what; int slot; pid_t pid; int64_t at_ms; };

static int events[2];
static pid_t host;		/* 0: none is left to be ended */

/* What the workers of a test have in common; a counter they share. */
static int *starts;

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
tell(enum what what, int slot, pid_t pid)
{
	struct event e = { what, slot, pid, now_ms() };

	/* Small enough to be written whole or not at all. */
	if (write(events[1], &e, sizeof(e)) != sizeof(e))
		_exit(99);
}

static struct event
next_event(void)
{
	struct pollfd p = { .fd = events[0], .events = POLLIN };
	struct event e = { .what = NOBODY };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	if (read(events[0], &e, sizeof(e)) == 0)
		e.what = NOBODY;
	return e;
}

static struct event
expect(enum what what)
{
	struct event e = next_event();

	assert_int_equal(e.what, what);
	return e;
}

static int
set_up(void **state)
{
	(void)state;
	starts = mmap(NULL, sizeof(*starts), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*starts = 0;
	return starts == MAP_FAILED ? -1 : pipe(events);
}

static int
host_status(void)
{
	int status;
	pid_t gone = waitpid(host, &status, 0);

	assert_int_equal(gone, host);
	host = 0;
	return status;
}

static int
tear_down(void **state)
{
	(void)state;
	/* A test that failed leaves nobody behind: workers follow their master. */
	if (host > 0) {
		kill(host, SIGKILL);
		host_status();
	}
	munmap(starts, sizeof(*starts));
	return close(events[0]);
}

static void
start_host(int (*run)(void))
{
	host = fork();
	assert_true(host >= 0);
	if (host == 0)
		_exit(run());
	close(events[1]);
}

static void
stop_host(void)
{
	kill(host, SIGTERM);
	assert_int_equal(host_status(), 0);
}

static volatile sig_atomic_t told_to_end;

static void
on_sigterm(int sig)
{
	(void)sig;
	told_to_end = 1;
}

/* A worker as it should be: it ends when it is told to, and well. */
static int
serve(int slot)
{
	struct sigaction action = { .sa_handler = on_sigterm };
	sigset_t blocked, open;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &open);
	sigaction(SIGTERM, &action, NULL);
	tell(STARTED, slot, getpid());
	while (!told_to_end)
		sigsuspend(&open);
	tell(ENDED, slot, getpid());
	return 0;
}

static int
schedule(void)
{
	return serve(SCHEDULER);
}

static int
help(void)
{
	return serve(HELPER);
}

static int
two_workers(void)
{
	return master_run(&(struct crew){ .workers = 2, .worker = serve });
}

static int
workers_scheduler_and_helpers(void)
{
	return master_run(&(struct crew){ .workers = 2, .worker = serve,
	    .scheduler = schedule, .helpers = 2, .helper = help });
}

static int
child_count(void)
{
	char path[64];
	int n = 0, pid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", host, host);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fscanf(f, "%d", &pid) == 1)
		n++;
	fclose(f);
	return n;
}

static void
sigterm_drains(void **state)
{
	bool seen[2] = { false }, scheduler = false;
	int helpers = 0;

	(void)state;
	start_host(workers_scheduler_and_helpers);
	for (int i = 0; i < 5; i++) {
		struct event e = expect(STARTED);

		if (e.slot == SCHEDULER)
			scheduler = true;
		else if (e.slot == HELPER)
			helpers++;
		else
			seen[e.slot] = true;
	}
	assert_true(seen[0] && seen[1] && scheduler);
	assert_int_equal(helpers, 2);
	kill(host, SIGTERM);
	for (int i = 0; i < 5; i++)
		expect(ENDED);
	assert_int_equal(host_status(), 0);
	expect(NOBODY);
}

static void
killed_worker_is_replaced(void **state)
{
	struct event victim, other, heir;

	(void)state;
	start_host(two_workers);
	victim = expect(STARTED);
	other = expect(STARTED);
	for (int i = 0; i < 5; i++) {
		kill(victim.pid, SIGKILL);
		heir = expect(STARTED);
		assert_int_equal(heir.slot, victim.slot);
		assert_int_not_equal(heir.pid, victim.pid);
		/* The dead one was reaped before its heir was born. */
		assert_int_equal(child_count(), 2);
		victim = other;
		other = heir;
	}
	stop_host();
}

static int
retire_often(int slot)
{
	if (++*starts <= 30)
		return 0;
	return serve(slot);
}

static int
one_retiring(void)
{
	return master_run(&(struct crew){ .workers = 1, .worker = retire_often });
}

static void
retiring_is_no_crash(void **state)
{
	(void)state;
	start_host(one_retiring);
	expect(STARTED);
	assert_int_equal(*starts, 31);
	stop_host();
}

static int
fail_at_once(int slot)
{
	tell(STARTED, slot, getpid());
	return 3;
}

static int
one_failing(void)
{
	return master_run(&(struct crew){ .workers = 1, .worker = fail_at_once });
}

static void
crash_loop_ends_master(void **state)
{
	int64_t before = 0, gap = 0;
	int status, n = 0;

	(void)state;
	start_host(one_failing);
	for (struct event e; (e = next_event()).what == STARTED; n++) {
		/* From the third start on, pauses of 50, 100, 200 ... ms. */
		if (n >= 2)
			assert_true(e.at_ms - before >= (gap = gap ? 2 * gap : 50) - 1);
		before = e.at_ms;
	}
	assert_int_equal(n, 6);
	status = host_status();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void
sighup_replaces_one_at_a_time(void **state)
{
	struct event first[2], e;
	bool heirs[2] = { false };

	(void)state;
	start_host(two_workers);
	first[0] = expect(STARTED);
	first[1] = expect(STARTED);
	kill(host, SIGHUP);
	/* Nobody goes before his heir has come; how long he takes is his affair. */
	for (int i = 0; i < 4; i++) {
		e = next_event();
		if (e.what == STARTED) {
			heirs[e.slot] = true;
			continue;
		}
		assert_int_equal(e.what, ENDED);
		assert_true(heirs[e.slot]);
		assert_true(e.pid == first[0].pid || e.pid == first[1].pid);
	}
	kill(host, SIGTERM);
	for (int i = 0; i < 2; i++) {
		e = expect(ENDED);
		assert_true(e.pid != first[0].pid && e.pid != first[1].pid);
	}
	assert_int_equal(host_status(), 0);
}

static void
workers_do_not_outlive_master(void **state)
{
	(void)state;
	start_host(two_workers);
	expect(STARTED);
	expect(STARTED);
	kill(host, SIGKILL);
	expect(ENDED);
	expect(ENDED);
	expect(NOBODY);
	assert_true(WIFSIGNALED(host_status()));
}

static int
inspect_signals(int slot)
{
	sigset_t blocked;
	struct sigaction action;
	int strange = 0;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int sig = 1; sig < SIGSYS; sig++) {
		sigaction(sig, NULL, &action);
		strange += sigismember(&blocked, sig) == 1 ||
		    action.sa_handler != SIG_DFL;
	}
	tell(REPORT, strange, getpid());
	return serve(slot);
}

static int
one_inspecting(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return master_run(&(struct crew){ .workers = 1, .worker = inspect_signals });
}

static void
children_have_default_signals(void **state)
{
	(void)state;
	start_host(one_inspecting);
	assert_int_equal(expect(REPORT).slot, 0);
	expect(STARTED);
	stop_host();
}

static const struct keeper_policy quick = {
	.healthy_ms = 10000,
	.backoff_ms = 1,
	.backoff_max_ms = 4,
	.settle_ms = 50,
	.grace_ms = 50,
	.crash_loop = 3,
	.abreast = 1,
};

static int
ignore_sigterm(void *data)
{
	(void)data;
	signal(SIGTERM, SIG_IGN);
	tell(STARTED, 0, getpid());
	while (pause() == -1)
		;
	return 0;
}

static int
keep_stubborn(void)
{
	struct keeper *k = keeper_new(&quick);

	keeper_add(k, "stubborn", -1, ignore_sigterm, NULL);
	while (keeper_wait(k, KEEPER_NEVER) != KEEPER_STOP)
		;
	keeper_drain(k);
	return 0;
}

static void
grace_is_bounded(void **state)
{
	(void)state;
	start_host(keep_stubborn);
	expect(STARTED);
	stop_host();
	expect(NOBODY);
}

static int
fail_from_second_on(void *data)
{
	(void)data;
	if (++*starts == 1)
		return serve(0);
	tell(STARTED, 0, getpid());
	return 5;
}

/* Reports, when asked, which process is in service. */
static int
keep_reporting(void)
{
	/* However long the bad one takes to end, it is not proven yet. */
	struct keeper_policy patient = quick;
	struct keeper *k;
	enum keeper_news news;

	patient.settle_ms = 60000;
	k = keeper_new(&patient);
	keeper_add(k, "one", -1, fail_from_second_on, NULL);
	while ((news = keeper_wait(k, KEEPER_NEVER)) != KEEPER_STOP) {
		if (news == KEEPER_RELOAD)
			keeper_roll(k);
		if (news == KEEPER_REPORT)
			tell(REPORT, keeper_first(k)->next != 0,
			    keeper_first(k)->pid);
	}
	keeper_drain(k);
	return 0;
}

static void
bad_replacement_leaves_old_one(void **state)
{
	struct event old, e;

	(void)state;
	start_host(keep_reporting);
	old = expect(STARTED);
	kill(host, SIGHUP);
	expect(STARTED);
	do {
		kill(host, SIGUSR1);
		e = expect(REPORT);
		assert_int_equal(e.pid, old.pid);
	} while (e.slot != 0);
	kill(host, SIGTERM);
	assert_int_equal(expect(ENDED).pid, old.pid);
	assert_int_equal(host_status(), 0);
}

static int
serve_first(void *data)
{
	(void)data;
	return serve(0);
}

static int
keep_on_through_crash_loop(void)
{
	struct keeper *k = keeper_new(&quick);
	struct kept *removed;
	enum keeper_news news;

	*starts = 1;
	keeper_add(k, "failing", -1, fail_from_second_on, NULL);
	removed = keeper_add(k, "good", -1, serve_first, NULL);
	while ((news = keeper_wait(k, KEEPER_NEVER)) != KEEPER_STOP) {
		if (news == KEEPER_CRASH_LOOP) {
			tell(REPORT, 0, getpid());
			keeper_remove(k, removed);
		}
	}
	keeper_drain(k);
	return 0;
}

static void
caller_decides_about_crash_loop(void **state)
{
	int starts_before = 0;
	struct event e;

	(void)state;
	start_host(keep_on_through_crash_loop);
	while ((e = next_event()).what == STARTED)
		starts_before++;
	assert_int_equal(e.what, REPORT);
	assert_true(starts_before >= 3);
	/* Still tried again, while the other one obeys its removal. */
	for (bool ended = false, tried = false; !ended || !tried; ) {
		e = next_event();
		ended |= e.what == ENDED;
		tried |= e.what == STARTED;
	}
	stop_host();
}

static void
tell_slept(const struct kept *kept)
{
	tell(REPORT, kept->asleep, 0);
}

static int calls = -1;		/* a listening socket */

/* Takes what there is to take, and ends. */
static int
take_one_call(void *data)
{
	int taken = accept4(calls, NULL, NULL, SOCK_NONBLOCK);

	(void)data;
	tell(STARTED, taken >= 0, getpid());
	return 0;
}

static int
keep_sleeper(void)
{
	struct keeper_policy policy = quick;
	enum keeper_news news;
	struct keeper *k;

	policy.slept = tell_slept;
	k = keeper_new(&policy);
	keeper_add(k, "sleeper", calls, take_one_call, NULL);
	while ((news = keeper_wait(k, KEEPER_NEVER)) != KEEPER_STOP) {
		if (news == KEEPER_RELOAD)
			keeper_roll(k);
	}
	keeper_drain(k);
	return 0;
}

static void
who_ended_well_sleeps_until_called(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t n = sizeof(address.sun_family);	/* the kernel names it */

	(void)state;
	calls = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(calls, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(calls, 8), 0);
	n = sizeof(address);
	assert_int_equal(getsockname(calls, (struct sockaddr *)&address, &n), 0);

	start_host(keep_sleeper);
	assert_int_equal(expect(STARTED).slot, 0);	/* to see that it starts */
	assert_int_equal(expect(REPORT).slot, 1);
	for (int i = 0; i < 3; i++) {
		int caller = socket(AF_UNIX, SOCK_STREAM, 0);

		assert_int_equal(connect(caller, (struct sockaddr *)&address, n), 0);
		assert_int_equal(expect(REPORT).slot, 0);
		assert_int_equal(expect(STARTED).slot, 1);
		assert_int_equal(expect(REPORT).slot, 1);
		close(caller);
	}
	/* A roll shows that it still starts. */
	kill(host, SIGHUP);
	assert_int_equal(expect(REPORT).slot, 0);
	assert_int_equal(expect(STARTED).slot, 0);
	stop_host();
	close(calls);
}

/* Idle from the start, but says so only when asked for the third time. */
static int64_t
busy_at_first(void)
{
	static int64_t born;

	if (born == 0)
		born = keeper_now();
	return ++*starts < 3 ? keeper_now() : born;
}

static int
idle_crew(void)
{
	return master_run(&(struct crew){ .workers = 2, .worker = serve,
	    .idle_since = busy_at_first, .patience_ms = 20 });
}

static void
an_idle_crew_goes_home(void **state)
{
	(void)state;
	start_host(idle_crew);
	expect(STARTED);
	expect(STARTED);
	expect(ENDED);
	expect(ENDED);
	assert_int_equal(host_status(), 0);
	assert_true(*starts >= 3);
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(sigterm_drains),
		TEST(killed_worker_is_replaced),
		TEST(retiring_is_no_crash),
		TEST(crash_loop_ends_master),
		TEST(sighup_replaces_one_at_a_time),
		TEST(workers_do_not_outlive_master),
		TEST(children_have_default_signals),
		TEST(grace_is_bounded),
		TEST(bad_replacement_leaves_old_one),
		TEST(caller_decides_about_crash_loop),
		TEST(who_ended_well_sleeps_until_called),
		TEST(an_idle_crew_goes_home),
	};

	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
