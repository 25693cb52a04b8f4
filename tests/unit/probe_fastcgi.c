/*
 * Reading the status out of FastCGI records, however they arrive.
 */
#include "probe_fastcgi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

struct stream { unsigned char bytes[512]; size_t length; };

static void
record(struct stream *s, int type, const char *content, int padding)
{
	size_t n = strlen(content);
	const unsigned char header[8] = { 1, (unsigned char)type, 0, 1,
	    (unsigned char)(n >> 8), (unsigned char)n, (unsigned char)padding, 0 };

	memcpy(s->bytes + s->length, header, sizeof(header));
	memcpy(s->bytes + s->length + 8, content, n);
	memset(s->bytes + s->length + 8 + n, 0, (size_t)padding);
	s->length += 8 + n + (size_t)padding;
}

enum { END_REQUEST = 3, STDOUT = 6, STDERR = 7 };

static void
status_is_found_as_soon_as_it_is_there(void **state)
{
	struct stream s = { .length = 0 };
	size_t status_end;

	(void)state;
	record(&s, STDERR, "a warning", 7);
	status_end = s.length + 8 + 11;
	record(&s, STDOUT, "Status: 503 Service Unavailable\r\n\r\n{}", 3);
	record(&s, END_REQUEST, "12345678", 0);
	for (size_t n = 0; n < status_end; n++)
		assert_int_equal(fastcgi_status(s.bytes, n), 0);
	for (size_t n = status_end; n <= s.length; n++)
		assert_int_equal(fastcgi_status(s.bytes, n), 503);
}

static void
no_status_line_is_200(void **state)
{
	struct stream s = { .length = 0 };

	(void)state;
	record(&s, STDOUT, "A: b\n\n", 0);
	assert_int_equal(fastcgi_status(s.bytes, s.length), 200);
	s.length = 0;
	record(&s, STDOUT, "Content-Type: text/plain\n\n", 0);
	assert_int_equal(fastcgi_status(s.bytes, s.length), 200);
}

static void
what_is_no_answer_is_told(void **state)
{
	struct stream s = { .length = 0 };

	(void)state;
	record(&s, STDOUT, "", 0);
	record(&s, END_REQUEST, "12345678", 0);
	assert_int_equal(fastcgi_status(s.bytes, s.length), -1);
	assert_int_equal(fastcgi_status((const unsigned char *)"HTTP/1.1 400", 12), -1);
}

static void
request_is_whole_records(void **state)
{
	unsigned char request[FASTCGI_REQUEST_MAX];
	size_t length = fastcgi_health_request(request), at = 0;
	static const int types[] = { 1, 4, 4, 5 };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		assert_int_equal(request[at], 1);
		assert_int_equal(request[at + 1], types[i]);
		at += 8u + (size_t)(request[at + 4] << 8 | request[at + 5]);
	}
	assert_int_equal(at, length);
	assert_non_null(memmem(request, length, "REQUEST_URI/health", 18));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_found_as_soon_as_it_is_there),
		cmocka_unit_test(no_status_line_is_200),
		cmocka_unit_test(what_is_no_answer_is_told),
		cmocka_unit_test(request_is_whole_records),
	};

	return cmocka_run_group_tests_name("probe_fastcgi", tests, NULL, NULL);
}
