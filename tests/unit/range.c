/*
 * What a Range header asks for, and what of it there is.
 */
#include "range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *
of(const char *header, size_t length)
{
	static char text[80];
	size_t from = 0, count = 0;

	switch (range_of(header, length, &from, &count)) {
	case RANGE_ALL:		return "all";
	case RANGE_NOWHERE:	return "nowhere";
	case RANGE_PART:	break;
	}
	snprintf(text, sizeof(text), "%zu+%zu", from, count);
	return text;
}

static void
takes_one_range_of_bytes(void **state)
{
	(void)state;
	assert_string_equal(of("bytes=0-0", 10), "0+1");
	assert_string_equal(of("bytes=2-5", 10), "2+4");
	assert_string_equal(of("bytes=2-", 10), "2+8");
	assert_string_equal(of("bytes=9-9", 10), "9+1");
	assert_string_equal(of("Bytes=0-9", 10), "0+10");
	assert_string_equal(of("bytes=-1", 10), "9+1");
	assert_string_equal(of("bytes=-10", 10), "0+10");
}

static void
gives_what_there_is(void **state)
{
	(void)state;
	assert_string_equal(of("bytes=5-100", 10), "5+5");
	assert_string_equal(of("bytes=-100", 10), "0+10");
	assert_string_equal(of("bytes=1-18446744073709551615", 10), "1+9");
	assert_string_equal(of("bytes=1-99999999999999999999999", 10), "1+9");
	assert_string_equal(of("bytes=-99999999999999999999999", 10), "0+10");
}

static void
says_when_there_is_nothing(void **state)
{
	(void)state;
	assert_string_equal(of("bytes=10-", 10), "nowhere");
	assert_string_equal(of("bytes=10-20", 10), "nowhere");
	assert_string_equal(of("bytes=99999999999999999999999-", 10), "nowhere");
	assert_string_equal(of("bytes=-0", 10), "nowhere");
	assert_string_equal(of("bytes=0-", 0), "nowhere");
	assert_string_equal(of("bytes=-5", 0), "nowhere");
}

static void
ignores_what_it_does_not_understand(void **state)
{
	static const char *const headers[] = { "", "bytes", "bytes=", "bytes=-", "bytes=x",
	    "bytes=1", "bytes=5-2", "bytes=0-1,3-4", "bytes=0-1 ", "bytes= 0-1", "bytes=0x0-1",
	    "bytes=+1-2", "bytes=--1", "lines=0-1", "bytes:0-1" };

	(void)state;
	assert_string_equal(of(NULL, 10), "all");
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
		assert_string_equal(of(headers[i], 10), "all");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_one_range_of_bytes),
		cmocka_unit_test(gives_what_there_is),
		cmocka_unit_test(says_when_there_is_nothing),
		cmocka_unit_test(ignores_what_it_does_not_understand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
