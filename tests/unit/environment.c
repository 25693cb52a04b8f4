/*
 * The supervisor's environment files: what a line means, and which file is
 * whose.
 */
#include "environment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char run[64];
static char error[512];

static const char *
path_of(const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/env/%s", run, file);
	return path;
}

static void
write_file(const char *file, const char *text)
{
	FILE *f = fopen(path_of(file), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
set_up(void **state)
{
	(void)state;
	snprintf(run, sizeof(run), "/tmp/environment.XXXXXX");
	return mkdtemp(run) == NULL ? -1 : mkdir(path_of(""), 0700);
}

static int
tear_down(void **state)
{
	static const char *const files[] = { "common.env", "orders.env",
	    "stripe.env", "stripe-sim.env", "notes.txt" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(path_of(files[i]));
	rmdir(path_of(""));
	return rmdir(run);
}

static const char *
value(const struct env *env, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->strings[i], key, len) == 0 &&
		    env->strings[i][len] == '=')
			return env->strings[i] + len + 1;
	}
	return NULL;
}

static void
values_mean_themselves(void **state)
{
	struct env env = { 0 };

	(void)state;
	write_file("common.env", "# comment\n\n \t# another\n"
	    "A=plain\n  B= a b \nC=\"q\" 'q' \\n $A #x\nD=\nE==\nA=later\nF=no end");
	assert_true(env_read(&env, path_of("common.env"), error, sizeof(error)));
	assert_int_equal(env.count, 6);
	assert_null(env.strings[6]);
	assert_string_equal(value(&env, "A"), "later");
	assert_string_equal(value(&env, "B"), " a b ");
	assert_string_equal(value(&env, "C"), "\"q\" 'q' \\n $A #x");
	assert_string_equal(value(&env, "D"), "");
	assert_string_equal(value(&env, "E"), "=");
	assert_string_equal(value(&env, "F"), "no end");
	env_free(&env);
}

static void
wrong_lines_are_named(void **state)
{
	static const char *const wrong[] = { "KEY", "=x", "1A=x", "A B=x",
	    "export A=x", "A-B=x", "A =x" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct env env = { 0 };
		char text[64];

		snprintf(text, sizeof(text), "A=1\n%s\n", wrong[i]);
		write_file("common.env", text);
		assert_false(env_read(&env, path_of("common.env"), error, sizeof(error)));
		assert_non_null(strstr(error, "common.env:2: not KEY=value"));
		env_free(&env);
	}
}

static void
missing_file_adds_nothing(void **state)
{
	struct env env = { 0 };

	(void)state;
	assert_true(env_read(&env, path_of("common.env"), error, sizeof(error)));
	assert_int_equal(env.count, 0);
	assert_false(env_read(&env, path_of(""), error, sizeof(error)));
	env_free(&env);
}

static void
assert_whose(const char *function, const char *expected)
{
	struct env env;

	assert_true(environment_of(&env, run, function, "3", error, sizeof(error)));
	assert_string_equal(value(&env, "WHOSE"), expected);
	assert_string_equal(value(&env, "FN_WORKERS"), "3");
	assert_non_null(value(&env, "PATH"));
	assert_null(value(&env, "OTHER_PEOPLES_SECRET"));
	env_free(&env);
}

static void
longest_context_wins(void **state)
{
	(void)state;
	setenv("OTHER_PEOPLES_SECRET", "x", 1);
	write_file("common.env", "WHOSE=common\n");
	write_file("orders.env", "WHOSE=orders\n");
	write_file("stripe.env", "WHOSE=stripe\n");
	write_file("stripe-sim.env", "WHOSE=sim\n");
	write_file("notes.txt", "not an environment\n");
	assert_whose("orders-place", "orders");
	assert_whose("orders", "orders");
	assert_whose("ordersplus-x", "common");
	assert_whose("order", "common");
	assert_whose("stripe-sim", "sim");
	assert_whose("stripe-sim-x", "sim");
	assert_whose("stripe-simple", "stripe");
}

static void
container_passes_its_own(void **state)
{
	struct env env;

	(void)state;
	assert_int_equal(rmdir(path_of("")), 0);
	setenv("FROM_THE_CONTAINER", "a=b", 1);
	assert_true(environment_of(&env, run, "orders-place", NULL, error, sizeof(error)));
	assert_string_equal(value(&env, "FROM_THE_CONTAINER"), "a=b");
	env_free(&env);
}

static void
wrong_file_leaves_nothing(void **state)
{
	struct env env;

	(void)state;
	write_file("common.env", "A=1\n");
	write_file("orders.env", "oops\n");
	assert_false(environment_of(&env, run, "orders-place", NULL, error, sizeof(error)));
	assert_int_equal(env.count, 0);
	assert_non_null(strstr(error, "orders.env:1"));
	assert_true(environment_of(&env, run, "users-me", NULL, error, sizeof(error)));
	env_free(&env);
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(values_mean_themselves),
		TEST(wrong_lines_are_named),
		TEST(missing_file_adds_nothing),
		TEST(longest_context_wins),
		TEST(container_passes_its_own),
		TEST(wrong_file_leaves_nothing),
	};

	return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}
