/*
 * What a URL of Redis is made of.
 */
#include "fixture.h"

#include "../../runtime/redis_link.c"

static void
is(const char *url, const char *host, int port, const char *credentials, const char *database)
{
	char *copy = strdup(url);
	struct place place;

	assert_non_null(copy);
	assert_true(take_apart(&place, copy));
	assert_string_equal(place.host, host);
	assert_int_equal(place.port, port);
	assert_string_equal(place.credentials == NULL ? "" : place.credentials, credentials);
	assert_string_equal(place.database == NULL ? "" : place.database, database);
	assert_int_equal(place.tls, strncmp(url, "rediss", 6) == 0);
	free(copy);
}

static void
a_url_is_taken_apart(void **state)
{
	(void)state;
	is("redis://localhost", "localhost", 6379, "", "");
	is("rediss://cache.example:6380/2", "cache.example", 6380, "", "2");
	is("redis://:p/a:s@s@cache:1/", "cache", 1, ":p/a:s@s", "");
	is("redis://[::1]", "::1", 6379, "", "");
	is("rediss://shop:word@[2001:db8::1]:6380/3", "2001:db8::1", 6380, "shop:word", "3");
	is("redis://[::1", "[", 0, "", "");	/* which there is not */
}

static void
anything_else_is_none(void **state)
{
	struct place place;
	char socket[] = "unix:///run/redis.sock", http[] = "http://cache", nothing[] = "";

	(void)state;
	assert_true(take_apart(&place, socket));
	assert_string_equal(place.path, "/run/redis.sock");
	assert_false(take_apart(&place, http));
	assert_false(take_apart(&place, nothing));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_is_taken_apart),
		cmocka_unit_test(anything_else_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
