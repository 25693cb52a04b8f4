/*
 * Entity tags: what names a version, and what only looks as if it did
 * (RFC 9110, 8.8.3 and 13.1.1).
 */
#include "etag.h"

#include "fixture.h"

static void
other_bytes_are_another_version(void **state)
{
	static const char *const bodies[] = { "", "a", "b", "aa", "ab", "ba", "{\"a\":1}", "{\"a\":2}" };
	enum { N = sizeof(bodies) / sizeof(*bodies) };
	const char *tags[N];

	(void)state;
	BEGIN(.method = "GET", .uri = "/");
	for (size_t i = 0; i < N; i++) {
		tags[i] = etag_of(&it, bodies[i], strlen(bodies[i]));
		assert_int_equal(strlen(tags[i]), 26);
		assert_int_equal(tags[i][0], '"');
		assert_int_equal(tags[i][25], '"');
		assert_string_equal(tags[i], etag_of(&it, bodies[i], strlen(bodies[i])));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(tags[i], tags[j]);
	}
}

static void
match_compares_strongly(void **state)
{
	static const char *const names[] = { "*", "\"ab\"", " \"ab\"", "\"x\", \"ab\"", "\"ab\",\"x\"",
	    "W/\"ab\", \"ab\"", "\"\",\"ab\"", "\"x,y\" \t,, \"ab\"", "\"ab-gzip\"" };
	static const char *const others[] = { "", " ", ",", "\"", "\"\"", "\"a\"", "\"abc\"", "\"xab\"",
	    "ab", "ab\"", "\"ab", "W/\"ab\"", "w/\"ab\"", "W/", "W", "\"ab-br\"", "\"ab-GZIP\"", "\"abgzip-\"",
	    "\"x\" ab", "**", "\"x\", *", "\"W/\"ab\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_true(etag_match(names[i], "\"ab\""));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(etag_match(others[i], "\"ab\""));
}

static void
a_request_without_if_match_changes_whatever_is_there(void **state)
{
	(void)state;
	BEGIN(.method = "PUT", .uri = "/");
	assert_false(req_is_conditional(&it));
	assert_true(req_matches(&it, "{}"));
	assert_true(req_matches(&it, NULL));
}

static void
a_request_with_if_match_changes_what_it_names(void **state)
{
	const char *etag;

	(void)state;
	BEGIN(.method = "PUT", .uri = "/");
	etag = etag_of(&it, "{}", 2);
	it.if_match = etag;
	assert_true(req_is_conditional(&it));
	assert_true(req_matches(&it, "{}"));
	assert_false(req_matches(&it, "{\"a\":1}"));
	assert_false(req_matches(&it, NULL));
	BEGIN(.method = "PUT", .uri = "/", .variables = { "HTTP_IF_MATCH=*" });
	assert_true(req_matches(&it, "{}"));
	assert_false(req_matches(&it, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_bytes_are_another_version),
		cmocka_unit_test(match_compares_strongly),
		cmocka_unit_test(a_request_without_if_match_changes_whatever_is_there),
		cmocka_unit_test(a_request_with_if_match_changes_what_it_names),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
