/*
 * Counter files: what is counted by many processes, over restarts and under
 * kill -9, is what /metrics says.
 *
 * A process maps its counters once, so each test counts in children.
 */
#include "metrics.h"
#include "metrics_file.h"
#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

COUNTER(orders, "orders_total", "kind=\"paid\"", "Orders, \\ and\nmore");
COUNTER(visits, "visits_total", "", "Visits");
HISTOGRAM(seconds, "work_seconds", "step=\"a\"", "Work");
GAUGE(depth, "depth", "", "How deep it is");

static char dir[64];
static char page[64 << 10];

static int
set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/counters.XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : setenv("FN_STATE_DIR", dir, 1);
}

static int
tear_down(void **state)
{
	DIR *d = opendir(dir);

	(void)state;
	for (struct dirent *e; (e = readdir(d)) != NULL; )
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	return rmdir(dir);
}

static void
open_counters(const char *binary)
{
	if (!settings_read())
		_exit(1);
	metrics_open(binary);
}

static pid_t
start(void (*run)(const char *), const char *arg)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		run(arg);
		_exit(0);
	}
	return pid;
}

static void
finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
in_child(void (*run)(const char *), const char *arg)
{
	finish(start(run, arg));
}

static const char *
text_of(const char *sockets)
{
	size_t n = metrics_text(page, sizeof(page), dir, sockets);

	assert_true(n < sizeof(page));
	assert_int_equal(n, strlen(page));
	return page;
}

static void
assert_line(const char *text, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (strstr(text, whole) == NULL)
		fail_msg("no line %s in:\n%s", line, text);
}

static size_t
count_of(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

static void
count_some(const char *binary)
{
	open_counters(binary);
	metric_add(&orders, 2);
	metric_add(&visits, 5);
	metric_observe_us(&seconds, 500);	/* as long as the first bound */
	metric_observe_us(&seconds, 501);
	metric_observe_us(&seconds, 3000000);
	metric_observe_us(&seconds, 20000000);
}

static void
adds_up_over_files_and_restarts(void **state)
{
	const char *text;

	(void)state;
	in_child(count_some, "one");
	in_child(count_some, "one");
	in_child(count_some, "two");
	text = text_of(NULL);
	assert_line(text, "orders_total{kind=\"paid\"} 6");
	assert_line(text, "visits_total 15");
	assert_int_equal(count_of(text, "# TYPE orders_total counter\n"), 1);
	assert_int_equal(count_of(text, "# HELP orders_total Orders, \\\\ and\\nmore\n"), 1);
	assert_line(text, "metrics_files_unreadable 0");
}

static void
histogram_is_cumulative(void **state)
{
	const char *text;

	(void)state;
	in_child(count_some, "one");
	text = text_of(NULL);
	assert_line(text, "# TYPE work_seconds histogram");
	assert_line(text, "work_seconds_bucket{step=\"a\",le=\"0.0005\"} 1");
	assert_line(text, "work_seconds_bucket{step=\"a\",le=\"0.001\"} 2");
	assert_line(text, "work_seconds_bucket{step=\"a\",le=\"2.5\"} 2");
	assert_line(text, "work_seconds_bucket{step=\"a\",le=\"5\"} 3");
	assert_line(text, "work_seconds_bucket{step=\"a\",le=\"10\"} 3");
	assert_line(text, "work_seconds_bucket{step=\"a\",le=\"+Inf\"} 4");
	assert_line(text, "work_seconds_sum{step=\"a\"} 23.001001");
	assert_line(text, "work_seconds_count{step=\"a\"} 4");
}

enum { WORKERS = 4, ROUNDS = 20000 };

static void
prefork_and_count(const char *binary)
{
	open_counters(binary);
	for (int i = 0; i < WORKERS; i++) {
		if (fork() != 0)
			continue;
		for (int n = 0; n < ROUNDS; n++)
			metric_add(&visits, 1);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
}

static void
loses_nothing_between_workers(void **state)
{
	(void)state;
	in_child(prefork_and_count, "many");
	assert_line(text_of(NULL), "visits_total 80000");
}

/* Starts over and over, so that a kill hits every stage of opening as well. */
static void
open_and_count_for_ever(const char *binary)
{
	open_counters(binary);
	for (;;)
		metric_observe_us(&seconds, 100);
}

static uint64_t
observations(void)
{
	const char *at = strstr(text_of(NULL), "work_seconds_count{step=\"a\"} ");

	return at == NULL ? 0 : strtoull(strchr(at, ' '), NULL, 10);
}

static void
survives_kill(void **state)
{
	uint64_t before = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		pid_t pid = start(open_and_count_for_ever, "killed");
		uint64_t now;

		/* Sooner and later, and now and then when it has counted. */
		for (int spin = 0; spin < i * 3000; spin++)
			__asm__ volatile("" ::: "memory");
		while (i % 20 == 0 && observations() <= before)
			;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		now = observations();
		assert_true(now >= before);
		assert_non_null(strstr(page, "metrics_files_unreadable 0\n"));
		before = now;
	}
	assert_true(before > 0);
}

static struct metric another = {
	.name = "another_total", .labels = "", .help = "Another",
};

static void
count_another_as_well(const char *binary)
{
	metrics_register(&another);
	open_counters(binary);
	metric_add(&another, 7);
}

static void
other_layout_begins_anew(void **state)
{
	(void)state;
	in_child(count_some, "one");
	in_child(count_another_as_well, "one");
	assert_line(text_of(NULL), "another_total 7");
	assert_line(text_of(NULL), "visits_total 0");
}

static void
write_file(const char *name, const void *bytes, size_t n)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static size_t
read_file(const char *name, char *bytes, size_t size)
{
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(bytes, 1, size, f);
	fclose(f);
	return n;
}

static void
nonsense_is_skipped(void **state)
{
	static char whole[4096], broken[4096];
	uint32_t huge = UINT32_MAX;
	size_t n;

	(void)state;
	in_child(count_some, "one");
	n = read_file("one.counters", whole, sizeof(whole));
	for (size_t cut = 0; cut < n; cut++) {
		write_file("bad.counters", whole, cut);
		assert_line(text_of(NULL), "metrics_files_unreadable 1");
		assert_line(text_of(NULL), "visits_total 5");
	}
	for (size_t at = 0; at < sizeof(struct counters_header); at += 4) {
		memcpy(broken, whole, n);
		memcpy(broken + at, &huge, sizeof(huge));
		write_file("bad.counters", broken, n);
		/* All but the start time decide whether it can be read. */
		assert_line(text_of(NULL), at < offsetof(struct counters_header, started)
		    ? "metrics_files_unreadable 1" : "metrics_files_unreadable 0");
	}
}

static int ready[2], hold[2];

static void
open_and_stay(const char *binary)
{
	open_counters(binary);
	if (fork() != 0)
		_exit(0);
	close(hold[1]);
	if (write(ready[1], "!", 1) == 1)
		_exit(read(hold[0], (char[1]){ 0 }, 1) != 0);
}

/* A worker alone keeps the function up; its master may be gone. */
static void
up_while_a_process_lives(void **state)
{
	char sign;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	in_child(open_and_stay, "lives");
	in_child(count_some, "ended");
	assert_int_equal(read(ready[0], &sign, 1), 1);
	write_file("lives.sock", "", 0);
	write_file("never-started.sock", "", 0);
	write_file("sleeps.sock", "", 0);
	write_file("sleeps.asleep", "", 0);
	assert_line(text_of(NULL), "function_up{function=\"lives\"} 1");
	assert_line(text_of(NULL), "function_up{function=\"ended\"} 0");
	assert_line(text_of(dir), "function_up{function=\"lives\"} 1");
	assert_line(text_of(dir), "function_up{function=\"never-started\"} 0");
	assert_line(text_of(dir), "function_up{function=\"sleeps\"} 1");
	assert_null(strstr(text_of(dir), "function_up{function=\"ended\"}"));
	assert_int_equal(count_of(page, "function_start_time_seconds{function=\"lives\"}"), 1);

	close(hold[1]);
	while (strstr(text_of(NULL), "function_up{function=\"lives\"} 1") != NULL)
		;
}

static void
sets_twice(const char *binary)
{
	open_counters(binary);
	metric_set(&depth, 40);
	metric_set(&depth, 12);
}

static void
a_gauge_is_what_was_set_last(void **state)
{
	(void)state;
	in_child(sets_twice, "one");
	assert_line(text_of(NULL), "# TYPE depth gauge");
	assert_line(text_of(NULL), "depth 12");
	in_child(sets_twice, "one");
	assert_line(text_of(NULL), "depth 12");
}

static void
counts_in_memory_without_directory(const char *binary)
{
	unsetenv("FN_STATE_DIR");
	metric_add(&visits, 1);		/* before anything is open */
	open_counters(binary);
	metric_add(&visits, 1);
	if (*visits.cells != 1 || metrics_dir() != NULL)
		_exit(1);
}

static void
directory_is_optional(void **state)
{
	(void)state;
	in_child(counts_in_memory_without_directory, "one");
	assert_null(strstr(text_of(NULL), "visits_total"));
}

static void
length_is_told_as_by_snprintf(void **state)
{
	char small[100];
	size_t whole;

	(void)state;
	in_child(count_some, "one");
	whole = strlen(text_of(NULL));
	assert_int_equal(metrics_text(NULL, 0, dir, NULL), whole);
	assert_int_equal(metrics_text(small, sizeof(small), dir, NULL), whole);
	assert_int_equal(strlen(small), sizeof(small) - 1);
	assert_memory_equal(small, page, sizeof(small) - 1);
}

static void
label_values_are_escaped(void **state)
{
	char out[16];

	(void)state;
	metrics_escape(out, sizeof(out), "a\"b\\c\nd");
	assert_string_equal(out, "a\\\"b\\\\c\\nd");
	metrics_escape(out, 4, "\"\"\"");
	assert_string_equal(out, "\\\"");
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(adds_up_over_files_and_restarts),
		TEST(histogram_is_cumulative),
		TEST(loses_nothing_between_workers),
		TEST(survives_kill),
		TEST(other_layout_begins_anew),
		TEST(nonsense_is_skipped),
		TEST(up_while_a_process_lives),
		TEST(a_gauge_is_what_was_set_last),
		TEST(directory_is_optional),
		TEST(length_is_told_as_by_snprintf),
		TEST(label_values_are_escaped),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
