/*
 * bcrypt: known hashes, our own, and everything that is not one.
 */
#include "hashing.h"
#include "password.h"
#include "settings.h"

#include "fixture.h"

#include <time.h>

enum { CHEAP = 4 };

static char hash[64];

static void
known_hashes_match(void **state)
{
	static const struct { const char *password, *hash; } known[] = {
		{ "", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s." },
		{ "abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i" },
		{ "U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		assert_true(password_matches(known[i].password, known[i].hash, CHEAP));
		assert_false(password_matches("abd", known[i].hash, CHEAP));
	}
}

static void
a_hash_is_matched_by_its_password_only(void **state)
{
	static const char *const passwords[] = { "Password123!",
	    "p\xc3\xa4ssw\xc3\xb6rd \xe2\x82\xac", " leading and trailing ",
	    "\"'\\; DROP TABLE users" };

	(void)state;
	for (size_t i = 0; i < sizeof(passwords) / sizeof(*passwords); i++) {
		char other[64];

		assert_true(password_hash(passwords[i], CHEAP, hash));
		assert_int_equal(strlen(hash), 60);
		assert_memory_equal(hash, "$2b$04$", 7);
		assert_true(password_matches(passwords[i], hash, CHEAP));
		snprintf(other, sizeof(other), "%s ", passwords[i]);
		assert_false(password_matches(other, hash, CHEAP));
		assert_false(password_matches("", hash, CHEAP));
	}
}

static void
all_of_the_longest_password_counts(void **state)
{
	char password[PASSWORD_MAX + 1];

	(void)state;
	memset(password, 'x', PASSWORD_MAX);
	password[PASSWORD_MAX] = '\0';
	assert_true(password_hash(password, CHEAP, hash));
	assert_true(password_matches(password, hash, CHEAP));
	password[PASSWORD_MAX - 1] = 'y';
	assert_false(password_matches(password, hash, CHEAP));
}

static void
salts_differ(void **state)
{
	char again[64];

	(void)state;
	assert_true(password_hash("Password123!", CHEAP, hash));
	assert_true(password_hash("Password123!", CHEAP, again));
	assert_string_not_equal(hash, again);
}

static void
nothing_matches_what_is_no_hash(void **state)
{
	static const char *const bad[] = { "", "*0", "*1", "x", "Password123!", "$2b$", "$2b$04$",
	    "$2b$04$short", "$2b$99$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkY8jIucDrjc8deX1s.",
	    "$2b$04$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkY8jIucDrjc8deX1s",
	    "$1$salt$qJH7.N4xYta3aEG/dfqo/" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(password_matches("Password123!", bad[i], CHEAP));
	/* Nobody's: hashed all the same, matched by nothing. */
	assert_false(password_matches("", NULL, CHEAP));
	assert_false(password_matches("Password123!", NULL, CHEAP));
}

static double
cpu_of_a_wrong_password(const char *of)
{
	struct timespec a, b;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	assert_false(password_matches("wrong", of, 9));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* A hash of cost 5 alone is a sixteenth of the work; CPU time is ours alone. */
static void
a_wrong_password_costs_the_same_whoever_it_is_for(void **state)
{
	double nobody, dated, current;

	(void)state;
	nobody = cpu_of_a_wrong_password(NULL);
	assert_true(password_hash("x", 5, hash));
	dated = cpu_of_a_wrong_password(hash);
	assert_true(password_hash("x", 9, hash));
	current = cpu_of_a_wrong_password(hash);
	assert_true(dated > current / 2 && dated < current * 2);
	assert_true(nobody > current / 2 && nobody < current * 2);
	assert_true(cpu_of_a_wrong_password("erased") > current / 2);
}

static void
the_cost_is_in_the_hash(void **state)
{
	(void)state;
	for (int cost = 4; cost <= 6; cost++) {
		assert_true(password_hash("x", cost, hash));
		assert_int_equal(password_cost(hash), cost);
	}
	assert_int_equal(password_cost("$2a$12$DCq7YPn5Rq63x1Lad4cll."), 12);
	assert_int_equal(password_cost(""), 0);
	assert_int_equal(password_cost("$2b$"), 0);
	assert_int_equal(password_cost("$6$rounds=5000$x"), 0);
	assert_false(password_hash("x", 3, hash));
	assert_false(password_hash("x", 32, hash));
}

static void
a_request_hashes_at_the_configured_cost(void **state)
{
	const char *made;

	(void)state;
	BEGIN(.method = "POST", .uri = "/");
	made = hash_new_password(&it, "Password123!");
	assert_non_null(made);
	assert_int_equal(password_cost(made), 5);
	assert_true(hash_matches(&it, "Password123!", made));
	assert_false(hash_matches(&it, "Password123?", made));
	assert_false(hash_matches(&it, "Password123!", NULL));
	assert_false(hash_is_dated(made));
	assert_true(password_hash("x", CHEAP, hash));
	assert_true(hash_is_dated(hash));
	/* One that took more work is no worse. */
	assert_true(password_hash("x", 6, hash));
	assert_false(hash_is_dated(hash));
}

static void
a_refused_request_hashes_nothing(void **state)
{
	(void)state;
	assert_true(password_hash("x", CHEAP, hash));
	BEGIN(.method = "POST", .uri = "/");
	fail(&it, ERR_INVALID_INPUT);
	assert_null(hash_new_password(&it, "x"));
	assert_false(hash_matches(&it, "x", hash));
}

static int
set_up(void **state)
{
	(void)state;
	setenv("BCRYPT_COST", "5", 1);
	return settings_read() ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_hashes_match),
		cmocka_unit_test(a_hash_is_matched_by_its_password_only),
		cmocka_unit_test(all_of_the_longest_password_counts),
		cmocka_unit_test(salts_differ),
		cmocka_unit_test(nothing_matches_what_is_no_hash),
		cmocka_unit_test(a_wrong_password_costs_the_same_whoever_it_is_for),
		cmocka_unit_test(the_cost_is_in_the_hash),
		cmocka_unit_test(a_request_hashes_at_the_configured_cost),
		cmocka_unit_test(a_refused_request_hashes_nothing),
	};

	return cmocka_run_group_tests_name("password", tests, set_up, finish);
}
