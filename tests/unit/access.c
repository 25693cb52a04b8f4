/*
 * Who is admitted where, and what the others are told.
 */
#include "access.h"
#include "settings.h"

#include "fixture.h"

#define TOKEN	"a-service-token"

static const enum access all[] = { ACCESS_PUBLIC, ACCESS_SIGNED, ACCESS_USER, ACCESS_SELLER,
    ACCESS_ADMIN, ACCESS_SERVICE, ACCESS_OPERATOR };
enum { ALL = sizeof(all) / sizeof(*all) };

/* What the database says of the caller's session. */
static bool lives;

bool
auth_session_is_live(struct req *rq)
{
	(void)rq;
	return lives;
}

/* A caller with that role and Authorization header; either may be NULL. */
static void
caller(const char *role, const char *authorization)
{
	BEGIN(.method = "GET", .uri = "/");
	it.role = role;
	it.user = role == NULL ? NULL : "7";
	it.session = role == NULL ? NULL : "s";
	it.authorization = authorization;
	it.address = "203.0.113.9";
}

/* The status of an endpoint with that access; 0 when the caller is admitted. */
static int
checked(enum access access, bool session_is_live)
{
	const struct endpoint endpoint = { .access = access };
	const struct entry entry = { .endpoint = &endpoint };
	const struct guard guard = { .session_is_live = session_is_live };

	it.entry = &entry;
	access_check(&it, &guard);
	it.entry = NULL;
	return it.status;
}

static void
each_role_is_admitted_to_its_own(void **state)
{
	static const struct { const char *role; const char *admitted; } callers[] = {
		{ NULL, "11....." },
		{ "customer", "111...." },
		{ "seller", "1111..." },
		{ "admin", "11111.." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(callers) / sizeof(*callers); i++) {
		for (size_t a = 0; a < ALL; a++) {
			caller(callers[i].role, NULL);
			assert_int_equal(req_is(&it, all[a]), callers[i].admitted[a] == '1');
		}
		assert_false(req_is(&it, ACCESS_UNSET));
	}
	caller("root", NULL);
	assert_false(req_is(&it, ACCESS_SELLER));
	assert_false(req_is(&it, ACCESS_ADMIN));
}

static void
the_others_are_told_why(void **state)
{
	(void)state;
	caller(NULL, NULL);
	assert_int_equal(checked(ACCESS_USER, false), 401);
	caller(NULL, "Bearer expired");
	assert_int_equal(checked(ACCESS_ADMIN, false), 401);
	assert_non_null(strstr(it.detail, "not valid"));
	caller("customer", "Bearer x");
	assert_int_equal(checked(ACCESS_SELLER, true), 403);
	caller("admin", "Bearer x");
	assert_int_equal(checked(ACCESS_ADMIN, true), 0);
	caller(NULL, NULL);
	assert_int_equal(checked(ACCESS_SERVICE, false), 401);
	caller(NULL, NULL);
	assert_int_equal(checked(ACCESS_OPERATOR, false), 403);
	caller("admin", NULL);
	assert_int_equal(checked(ACCESS_UNSET, true), 403);
}

static void
what_redis_does_not_know_the_database_does(void **state)
{
	(void)state;
	lives = true;
	caller("admin", "Bearer x");
	assert_int_equal(checked(ACCESS_ADMIN, false), 0);
	assert_non_null(it.user);
	lives = false;
	caller("admin", "Bearer x");
	assert_int_equal(checked(ACCESS_ADMIN, true), 0);
}

static void
an_ended_session_is_nobodys(void **state)
{
	(void)state;
	lives = false;
	caller("admin", "Bearer x");
	assert_int_equal(checked(ACCESS_USER, false), 401);
	caller("admin", "Bearer x");
	assert_int_equal(checked(ACCESS_PUBLIC, false), 0);
	assert_null(it.user);
	assert_null(it.role);
	assert_null(it.session);
}

static void
what_is_decided_before_stands(void **state)
{
	(void)state;
	caller(NULL, NULL);
	fail(&it, ERR_RATE_LIMITED);
	assert_int_equal(checked(ACCESS_ADMIN, false), 429);
}

static void
services_have_the_token(void **state)
{
	static const char *const bad[] = { "Bearer", "Bearer ", "Bearer a", "Bearer a-service-toke",
	    "Bearer a-service-tokenx", "Bearer a-service-tokena-service-token",
	    "Bearer A-service-token", "bearer " TOKEN, TOKEN, "Bearer  " TOKEN, "Basic " TOKEN };

	(void)state;
	caller(NULL, "Bearer " TOKEN);
	assert_true(req_is(&it, ACCESS_SERVICE));
	assert_false(req_is(&it, ACCESS_ADMIN));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		caller("admin", bad[i]);
		assert_false(req_is(&it, ACCESS_SERVICE));
	}
	/* The machine's own operator, at a shell. */
	caller(NULL, NULL);
	it.trusted = true;
	assert_true(req_is(&it, ACCESS_SERVICE));
}

static void
operators_have_an_address(void **state)
{
	(void)state;
	caller(NULL, NULL);
	it.address = "127.0.0.1";
	assert_int_equal(checked(ACCESS_OPERATOR, false), 0);
	it.address = "";
	assert_false(req_is(&it, ACCESS_OPERATOR));
}

static int
no_token_admits_nobody(void)
{
	unsetenv("SERVICE_TOKEN");
	if (!settings_read())
		return 1;
	caller(NULL, "Bearer ");
	return req_is(&it, ACCESS_SERVICE) ? 2 : 0;
}

static void
without_a_token_there_are_no_services(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_token_admits_nobody), 0);
}

static int
set_up(void **state)
{
	(void)state;
	setenv("SERVICE_TOKEN", TOKEN, 1);
	return settings_read() && run_startups() ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_role_is_admitted_to_its_own),
		cmocka_unit_test(the_others_are_told_why),
		cmocka_unit_test(what_redis_does_not_know_the_database_does),
		cmocka_unit_test(an_ended_session_is_nobodys),
		cmocka_unit_test(what_is_decided_before_stands),
		cmocka_unit_test(services_have_the_token),
		cmocka_unit_test(operators_have_an_address),
		cmocka_unit_test(without_a_token_there_are_no_services),
	};

	return cmocka_run_group_tests_name("access", tests, set_up, finish);
}
