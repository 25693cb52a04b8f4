/*
 * Requests to a worker, in FastCGI over a real socket.  The worker sets fields
 * of FCGX_Request that libfcgi calls private: here is where a libfcgi that
 * means something else by them would show.
 */
#include "worker.h"

#include <dirent.h>

enum { BIG = 200000, HUGE_ANSWER = 5000000 };

static char huge_bytes[HUGE_ANSWER];

SERVES(big, GET, "/big", .summary = "Much")
{
	char *bytes = mem(rq, BIG);

	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (char)(i * 31 >> 3);
	return reply_bytes(rq, 200, "application/octet-stream", bytes, BIG);
}

SERVES(huge, GET, "/huge", .summary = "More than one write takes")
{
	return reply_bytes(rq, 200, "application/octet-stream", huge_bytes, HUGE_ANSWER);
}

SERVES(echo, POST, "/echo", .raw_body = true)
{
	size_t n;
	const char *bytes = req_body(rq, &n);

	return reply_bytes(rq, 200, "application/octet-stream", bytes, n);
}

SERVES(upload, POST, "/upload", .raw_body = true, .max_body = 3 * MAX_BODY)
{
	size_t n;
	const char *bytes = req_body(rq, &n);

	return reply_bytes(rq, 200, "application/octet-stream", bytes, n);
}

SERVES(header, GET, "/header", .summary = "What came as X-Long")
{
	const char *value = req_header(rq, "HTTP_X_LONG");

	return reply_bytes(rq, 200, "text/plain", value, strlen(value));
}

static const struct answer *
post_to(const char *target, const char *announced, const char *body, size_t n)
{
	int fd = connect_to_worker();

	client_begin(fd, "POST", target, "CONTENT_LENGTH", announced);
	client_body(fd, body, n);
	client_end(fd);
	return client_read(fd);
}

static const struct answer *
post(const char *announced, const char *body, size_t n)
{
	return post_to("/echo", announced, body, n);
}

static int
open_files(void)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)worker);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
a_small_answer_arrives(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		assert_alive();
	assert_int_equal(get("/nowhere")->status, 404);
	assert_int_equal(get("/echo")->status, 405);
	assert_int_equal(get("/health")->status, 200);
}

static void
a_big_answer_arrives_whole(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		const struct answer *a = get("/big");

		assert_true(a->whole);
		assert_int_equal(a->body_length, BIG);
		for (size_t at = 0; at < BIG; at++)
			assert_int_equal(a->body[at], (char)(at * 31 >> 3));
	}
}

static void
an_answer_of_more_records_than_one_write_takes_arrives_whole(void **state)
{
	const struct answer *a;

	tear_down(state);
	for (size_t i = 0; i < HUGE_ANSWER; i++)
		huge_bytes[i] = (char)(i * 13 >> 5);
	set_up(state);
	a = get("/huge");
	assert_true(a->whole);
	assert_int_equal(a->body_length, HUGE_ANSWER);
	assert_memory_equal(a->body, huge_bytes, HUGE_ANSWER);
}

static void
a_body_arrives_whole(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 8191, 8192, 65535, 65536, MAX_BODY };
	static char body[MAX_BODY];
	char announced[16];

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 7 + (i >> 9));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		const struct answer *a;

		snprintf(announced, sizeof(announced), "%zu", sizes[i]);
		a = post(announced, body, sizes[i]);
		assert_true(a->whole);
		assert_int_equal(a->status, 200);
		assert_int_equal(a->body_length, sizes[i]);
		assert_memory_equal(a->body, body, sizes[i]);
	}
}

static void
a_body_short_of_its_length_is_refused(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(post("10", "123456789", 9)->status, 400);
	assert_int_equal(post("1048576", "", 0)->status, 400);
	/* The connection ends in the middle of it. */
	fd = connect_to_worker();
	client_begin(fd, "POST", "/echo", "CONTENT_LENGTH", "10");
	client_body(fd, "12345", 5);
	shutdown(fd, SHUT_WR);
	assert_int_equal(client_read(fd)->status, 400);
	/* What is more than announced is not there. */
	assert_memory_equal(post("5", "123456789", 9)->body, "12345", 6);
	assert_int_equal(post("", "12345", 5)->body_length, 0);
	assert_alive();
}

static void
a_body_over_the_limit_is_refused(void **state)
{
	static char body[3 * MAX_BODY];
	static const char *const announced[] = { "1048577", "3145728", "99999999999999999999",
	    "-1" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t sent = i == 0 ? MAX_BODY + 1 : sizeof(body);

		assert_int_equal(post(announced[i], body, sent)->status, 413);
		assert_alive();
	}
}

static void
an_endpoint_may_have_a_limit_of_its_own(void **state)
{
	static char body[3 * MAX_BODY + 1];
	const struct answer *a;

	(void)state;
	memset(body, 'u', sizeof(body));
	a = post_to("/upload", "3145728", body, 3 * MAX_BODY);
	assert_int_equal(a->status, 200);
	assert_int_equal(a->body_length, 3 * MAX_BODY);
	assert_memory_equal(a->body, body, 3 * MAX_BODY);
	assert_int_equal(post_to("/upload", "3145729", body, 3 * MAX_BODY + 1)->status, 413);
	assert_int_equal(post_to("/echo", "1048577", body, MAX_BODY + 1)->status, 413);
	assert_alive();
}

static void
long_variables_and_single_bytes_are_understood(void **state)
{
	static char value[20000];
	const struct answer *a;
	int fd = connect_to_worker();

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	client_begin(fd, "GET", "/header", "HTTP_X_LONG", value);
	client_end(fd);
	a = client_read(fd);
	assert_string_equal(a->body, value);
	client_piece = 1;
	fd = connect_to_worker();
	client_begin(fd, "GET", "/header", "HTTP_X_LONG", "short");
	client_end(fd);
	client_piece = 0;
	a = client_read(fd);
	assert_string_equal(a->body, "short");
}

static void
garbage_is_dropped(void **state)
{
	static const struct { const char *bytes; size_t n; } garbage[] = {
		{ "", 0 },
		{ "\x01", 1 },
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27 },
		{ "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10 },
		/* No version 2. */
		{ "\x02\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0", 16 },
		/* A beginning, and no more. */
		{ "\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0", 16 },
		/* A beginning cut short. */
		{ "\x01\x01\0\x01\0\x08\0\0\0\x01", 10 },
		/* Variables before the beginning. */
		{ "\x01\x04\0\x01\0\0\0\0", 8 },
		/* A variable longer than its record. */
		{ "\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0"
		    "\x01\x04\0\x01\0\x04\0\0\x7f\x7f" "ab\x01\x04\0\x01\0\0\0\0", 36 },
		/* One of two gigabytes. */
		{ "\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0"
		    "\x01\x04\0\x01\0\x0a\0\0\xff\xff\xff\xff\xff\xff\xff\xff" "ab", 34 },
	};
	const struct answer *a;
	int before;

	(void)state;
	assert_alive();
	before = open_files();
	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		int fd = connect_to_worker();

		client_send(fd, garbage[i].bytes, garbage[i].n);
		shutdown(fd, SHUT_WR);
		a = client_read(fd);
		assert_true(!a->whole || a->status == 400);
		assert_alive();
	}
	assert_int_equal(open_files(), before);
}

static void
a_client_that_hangs_up_is_forgotten(void **state)
{
	int before;
	char c;

	(void)state;
	assert_alive();
	before = open_files();
	for (int i = 0; i < 20; i++) {
		int fd = connect_to_worker();

		client_begin(fd, "GET", i % 2 == 0 ? "/big" : "/wait", NULL, NULL);
		client_end(fd);
		if (i % 2 == 1)		/* while its request runs */
			assert_int_equal(read(started[0], &c, 1), 1);
		close(fd);
		if (i % 2 == 1)
			assert_int_equal(write(proceed[1], "x", 1), 1);
	}
	assert_alive();
	assert_int_equal(open_files(), before);
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_small_answer_arrives),
		TEST(a_big_answer_arrives_whole),
		TEST(an_answer_of_more_records_than_one_write_takes_arrives_whole),
		TEST(a_body_arrives_whole),
		TEST(a_body_short_of_its_length_is_refused),
		TEST(a_body_over_the_limit_is_refused),
		TEST(an_endpoint_may_have_a_limit_of_its_own),
		TEST(long_variables_and_single_bytes_are_understood),
		TEST(garbage_is_dropped),
		TEST(a_client_that_hangs_up_is_forgotten),
	};

	return cmocka_run_group_tests_name("fastcgi", tests, make_directory, remove_directory);
}
