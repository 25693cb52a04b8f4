/*
 * Declarations that do not fit together stop the build: every binary checks its
 * own before it describes itself.
 */
#include "describe.h"
#include "fixture.h"

#define SAYS(fn, who, limit, ...)					\
	ENDPOINT(fn) = { .summary = "A test", .access = ACCESS_##who,	\
		.rate = RATE_##limit, .path = "/" #fn, __VA_ARGS__ };	\
	static struct status fn(struct req *rq) { return fail(rq, ERR_INTERNAL); }

SAYS(sound_get,   PUBLIC, NONE,  .method = HTTP_GET)
SAYS(sound_put,   PUBLIC, NONE,  .method = HTTP_PUT)
SAYS(sound_post,  PUBLIC, NONE,  .method = HTTP_POST, .repeatable = "It does nothing")
SAYS(no_access,   UNSET,  NONE,  .method = HTTP_GET)
SAYS(no_rate,     PUBLIC, UNSET, .method = HTTP_GET)
SAYS(no_method,   PUBLIC, NONE,  .method = HTTP_UNSET)
SAYS(forgetful,   PUBLIC, NONE,  .method = HTTP_POST)
SAYS(undecided,   PUBLIC, NONE,  .method = HTTP_POST, .idempotent = true, .repeatable = "Or not")
/* This program has no statement, so no transaction to keep an answer in. */
SAYS(keeps_none,  PUBLIC, NONE,  .method = HTTP_POST, .idempotent = true)
SAYS(unscheduled, PUBLIC, NONE,  .method = HTTP_PUT, .helpers = 1)
SAYS(cached_user, USER,   NONE,  .method = HTTP_GET, .cache = { .seconds = 1, .tag = "x" })

static const char *complaints;

static int
check(void **state)
{
	(void)state;
	capture();
	assert_false(describe_check());
	complaints = captured();
	return 0;
}

static bool
told(const char *name, const char *problem)
{
	return strstr(complaints, fmt(&it, ": %s: %s", name, problem)) != NULL;
}

static void
what_is_missing_is_named(void **state)
{
	(void)state;
	assert_true(told("no_access", "set .access and .rate"));
	assert_true(told("no_rate", "set .access and .rate"));
	assert_true(told("no_method", "set .method"));
	assert_true(told("unscheduled", "has .helpers with a schedule"));
	assert_true(told("cached_user", "only a public GET is cached"));
}

static void
a_post_says_what_sending_it_twice_does(void **state)
{
	(void)state;
	assert_true(told("forgetful", "set .idempotent, or say in .repeatable"));
	assert_true(told("undecided", "set .idempotent, or say in .repeatable"));
	assert_true(told("keeps_none", "takes a key that nothing claims"));
}

static void
what_is_sound_is_left_alone(void **state)
{
	(void)state;
	assert_null(strstr(complaints, "sound_"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(a_post_says_what_sending_it_twice_does),
		cmocka_unit_test(what_is_sound_is_left_alone),
	};

	return cmocka_run_group_tests(tests, check, finish);
}
