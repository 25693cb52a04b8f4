/*
 * The reply as CGI text: nothing a client sends can make a header, and HEAD,
 * 204 and 304 have no body.
 */
#include "response.h"

#include "fixture.h"

static const char *bytes;
static size_t length;

static void
respond(void)
{
	size_t head, rest;
	const char *first, *second;
	char *whole;

	reply_finish(&it);
	first = response_head(&it, &head);
	second = response_body(&it, &rest);
	whole = mem(&it, head + rest + 1);
	memcpy(whole, first, head);
	if (rest > 0)
		memcpy(whole + head, second, rest);
	bytes = whole;
	length = head + rest;
}

static const char *
body(void)
{
	const char *end = memmem(bytes, length, "\r\n\r\n", 4);

	assert_non_null(end);
	return end + 4;
}

static size_t
body_length(void)
{
	return length - (size_t)(body() - bytes);
}

/* Whether the text is a line of the head. */
static bool
has_line(const char *line)
{
	const char *end = body() - 2;

	for (const char *at = bytes; at < end; ) {
		const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);

		assert_non_null(stop);
		if (strlen(line) == (size_t)(stop - at) && memcmp(at, line, strlen(line)) == 0)
			return true;
		at = stop + 2;
	}
	return false;
}

static size_t
lines(void)
{
	const char *end = body() - 2;
	size_t n = 0;

	for (const char *at = bytes; at < end; at++)
		n += memcmp(at, "\r\n", 2) == 0;
	return n;
}

static void
an_answer_has_its_head_and_its_body(void **state)
{
	(void)state;
	BEGIN(.method = "POST", .uri = "/", .variables = { "HTTP_X_REQUEST_ID=abc" });
	reply_json(&it, 201, "{\"a\":1}");
	reply_header(&it, "Location", "/api/orders/7");
	respond();
	assert_memory_equal(bytes, "Status: 201 Created\r\n", 21);
	assert_true(has_line("Content-Type: application/json"));
	assert_true(has_line("Content-Length: 7"));
	assert_true(has_line("X-Request-ID: abc"));
	assert_true(has_line("X-Correlation-ID: abc"));
	assert_true(has_line("Location: /api/orders/7"));
	assert_true(has_line("Cache-Control: no-store"));
	assert_int_equal(lines(), 7);
	assert_int_equal(body_length(), 7);
	assert_memory_equal(body(), "{\"a\":1}", 7);
}

static void
bytes_are_sent_as_they_are(void **state)
{
	static const char image[] = "\x89PNG\r\n\r\n\0\xff";

	(void)state;
	BEGIN(.method = "GET", .uri = "/");
	reply_bytes(&it, 200, "image/png", image, sizeof(image));
	respond();
	assert_int_equal(body_length(), sizeof(image));
	assert_memory_equal(body(), image, sizeof(image));
}

static void
no_value_can_start_a_header_of_its_own(void **state)
{
	static const char *const evil[] = { "a\r\nSet-Cookie: b=c", "a\nSet-Cookie: b=c",
	    "a\rSet-Cookie: b=c", "a\r\n\r\n<html>", "a\x0bSet-Cookie: b", "a\x7fSet-Cookie: b" };

	(void)state;
	for (size_t i = 0; i < sizeof(evil) / sizeof(*evil); i++) {
		BEGIN(.method = "GET", .uri = "/");
		reply_bytes(&it, 200, evil[i], "{}", 2);
		reply_header(&it, "X-Value", evil[i]);
		respond();
		assert_true(has_line("X-Value: a"));
		assert_true(has_line("Content-Type: a"));
		assert_int_equal(lines(), 7);
		assert_null(memmem(bytes, length, "Set-Cookie", 10));
		assert_memory_equal(body(), "{}", 2);
	}
}

static void
values_of_any_length_fit(void **state)
{
	static char long_value[100000];

	(void)state;
	memset(long_value, 'v', sizeof(long_value) - 1);
	BEGIN(.method = "GET", .uri = "/");
	reply_json(&it, 200, "{}");
	for (int i = 0; i < 5; i++)
		reply_header(&it, "X-Long", long_value);
	reply_header(&it, "X-Empty", "");
	respond();
	assert_int_equal(lines(), 12);
	assert_true(has_line("X-Empty: "));
	assert_int_equal(body_length(), 2);
}

static void
a_long_content_type_fits(void **state)
{
	static char long_type[5000];

	(void)state;
	memset(long_type, 't', sizeof(long_type) - 1);
	BEGIN(.method = "GET", .uri = "/");
	reply_bytes(&it, 200, long_type, "{}", 2);
	respond();
	assert_int_equal(body_length(), 2);
}

static void
head_has_the_length_but_not_the_body(void **state)
{
	(void)state;
	BEGIN(.method = "HEAD", .uri = "/");
	reply_json(&it, 200, "{\"a\":1}");
	respond();
	assert_true(has_line("Status: 200 OK"));
	assert_true(has_line("Content-Length: 7"));
	assert_int_equal(body_length(), 0);
	BEGIN(.method = "HEAD", .uri = "/");
	fail(&it, ERR_NOT_FOUND);
	respond();
	assert_true(has_line("Status: 404 Not Found"));
	assert_true(has_line("Content-Type: application/problem+json"));
	assert_int_equal(body_length(), 0);
}

static void
no_content_and_not_modified_have_none(void **state)
{
	static const int statuses[] = { 204, 304 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		BEGIN(.method = "GET", .uri = "/");
		reply_json(&it, statuses[i], "{\"a\":1}");
		reply_header(&it, "ETag", "\"e\"");
		respond();
		assert_true(has_line(statuses[i] == 204 ? "Status: 204 No Content"
		    : "Status: 304 Not Modified"));
		assert_true(has_line("ETag: \"e\""));
		assert_null(memmem(bytes, length, "Content-", 8));
		assert_int_equal(body_length(), 0);
	}
}

static void
every_error_has_its_reason(void **state)
{
	(void)state;
	for (int e = ERR_NONE + 1; e < ERR_COUNT; e++) {
		BEGIN(.method = "GET", .uri = "/");
		fail(&it, (enum err)e);
		respond();
		assert_int_equal(strtol(bytes + strlen("Status: "), NULL, 10), it.status);
		/* What has no reason of its own is called an internal error. */
		assert_true((memmem(bytes, 40, "Internal Server Error", 21) != NULL) ==
		    (it.status == 500));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_has_its_head_and_its_body),
		cmocka_unit_test(bytes_are_sent_as_they_are),
		cmocka_unit_test(no_value_can_start_a_header_of_its_own),
		cmocka_unit_test(values_of_any_length_fit),
		cmocka_unit_test(a_long_content_type_fits),
		cmocka_unit_test(head_has_the_length_but_not_the_body),
		cmocka_unit_test(no_content_and_not_modified_have_none),
		cmocka_unit_test(every_error_has_its_reason),
	};

	return cmocka_run_group_tests_name("response", tests, NULL, finish);
}
