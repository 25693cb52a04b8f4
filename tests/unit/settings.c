/*
 * Settings: what the environment may say, and that what is wrong is named.
 */
#include "settings.h"

#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

SETTING_TEXT(color, "TEST_COLOR", "red", "The color");
SETTING_TEXT(shade, "TEST_SHADE", NULL, "The shade");
SETTING_INT(count, "TEST_COUNT", 5, -10, 10, "The count");
SETTING_SECRET(key, "TEST_KEY", "The key of the test");
SETTING_SECRET_OPTIONAL(extra, "TEST_EXTRA", "Another");

static char path[64];

static void
write_secret(const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

/* Lets a secret go that came from a file: a process reads it only once. */
static void
forget(struct setting *s)
{
	const char *variable = getenv(s->name);

	if (variable == NULL || *variable == '\0')
		free((char *)(uintptr_t)s->text);
	s->text = NULL;
}

/* What is said of one that is not good, "" of all good. */
static const char *
complaint(void)
{
	const char *text;
	bool good;

	count.number = 5;
	capture();
	good = settings_read();
	text = captured();
	assert_true(good == (*text == '\0'));
	return text;
}

static int
set_up(void **state)
{
	int fd;

	(void)state;
	unsetenv("TEST_COLOR");
	unsetenv("TEST_SHADE");
	unsetenv("TEST_COUNT");
	unsetenv("TEST_KEY_FILE");
	unsetenv("TEST_EXTRA");
	unsetenv("TEST_EXTRA_FILE");
	strcpy(path, "/tmp/secret.XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd) + setenv("TEST_KEY", "k", 1);
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void
what_is_not_set_has_its_preset(void **state)
{
	(void)state;
	assert_string_equal(complaint(), "");
	assert_string_equal(color.text, "red");
	assert_null(shade.text);
	assert_int_equal(count.number, 5);
	assert_string_equal(key.text, "k");
	assert_null(extra.text);
}

static void
what_is_set_is_taken(void **state)
{
	(void)state;
	setenv("TEST_COLOR", " blue ", 1);
	setenv("TEST_SHADE", "dark", 1);
	setenv("TEST_COUNT", "-10", 1);
	setenv("TEST_EXTRA", "e", 1);
	assert_string_equal(complaint(), "");
	assert_string_equal(color.text, " blue ");
	assert_string_equal(shade.text, "dark");
	assert_int_equal(count.number, -10);
	assert_string_equal(extra.text, "e");
}

static void
empty_is_not_set(void **state)
{
	(void)state;
	setenv("TEST_COLOR", "", 1);
	setenv("TEST_COUNT", "", 1);
	setenv("TEST_EXTRA", "", 1);
	assert_string_equal(complaint(), "");
	assert_string_equal(color.text, "red");
	assert_int_equal(count.number, 5);
	assert_null(extra.text);
	setenv("TEST_KEY", "", 1);
	assert_non_null(strstr(complaint(), "TEST_KEY"));
}

static void
numbers_are_whole_and_in_range(void **state)
{
	static const char *const bad[] = { "11", "-11", "1.0", "1e1", "0x1", "five", "5s", "5 ",
	    " ", "99999999999999999999", "-99999999999999999999", "--1" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *text;

		setenv("TEST_COUNT", bad[i], 1);
		text = complaint();
		assert_non_null(strstr(text, "TEST_COUNT"));
		assert_non_null(strstr(text, "from -10 to 10"));
		assert_non_null(strstr(text, bad[i]));
	}
	setenv("TEST_COUNT", "10", 1);
	assert_string_equal(complaint(), "");
}

static void
every_bad_setting_is_named_at_once(void **state)
{
	const char *text;

	(void)state;
	unsetenv("TEST_KEY");
	setenv("TEST_COUNT", "many", 1);
	text = complaint();
	assert_non_null(strstr(text, "TEST_COUNT"));
	assert_non_null(strstr(text, "TEST_KEY"));
	assert_non_null(strstr(text, "The key of the test"));
}

static void
a_secret_may_come_from_a_file(void **state)
{
	(void)state;
	unsetenv("TEST_KEY");
	setenv("TEST_KEY_FILE", path, 1);
	write_secret("from the file\r\n\n", 16);
	assert_string_equal(complaint(), "");
	assert_string_equal(key.text, "from the file");
	forget(&key);
	write_secret(" inner\nlines ", 13);
	assert_string_equal(complaint(), "");
	assert_string_equal(key.text, " inner\nlines ");
	forget(&key);
	/* The variable itself comes first. */
	setenv("TEST_KEY", "from the variable", 1);
	assert_string_equal(complaint(), "");
	assert_string_equal(key.text, "from the variable");
	/* A text or a number has no file. */
	setenv("TEST_COLOR_FILE", path, 1);
	assert_string_equal(complaint(), "");
	assert_string_equal(color.text, "red");
}

/* Required or not: an operator who names a file means what is in it. */
static void
assert_silent_file_is_named(const char *file_name)
{
	setenv(file_name, path, 1);
	write_secret("", 0);
	assert_non_null(strstr(complaint(), file_name));
	write_secret("\r\n", 2);
	assert_non_null(strstr(complaint(), file_name));
	setenv(file_name, "/nowhere/secret", 1);
	assert_non_null(strstr(complaint(), file_name));
	setenv(file_name, "/tmp", 1);
	assert_non_null(strstr(complaint(), file_name));
	unsetenv(file_name);
}

static void
a_secret_file_that_says_nothing_is_named(void **state)
{
	(void)state;
	assert_silent_file_is_named("TEST_EXTRA_FILE");
	unsetenv("TEST_KEY");
	assert_silent_file_is_named("TEST_KEY_FILE");
}

/* What systemd hands over: one that is empty is one that there is not. */
static void
a_secret_may_be_a_credential(void **state)
{
	char directory[80], link[100];

	(void)state;
	snprintf(directory, sizeof(directory), "%s.d", path);
	snprintf(link, sizeof(link), "%s/TEST_KEY", directory);
	assert_int_equal(mkdir(directory, 0700), 0);
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	unsetenv("TEST_KEY");
	assert_non_null(strstr(complaint(), "TEST_KEY"));
	assert_int_equal(symlink(path, link), 0);
	write_secret("handed over\n", 12);
	assert_string_equal(complaint(), "");
	assert_string_equal(key.text, "handed over");
	assert_null(extra.text);
	forget(&key);
	write_secret("\n", 1);
	assert_non_null(strstr(complaint(), "TEST_KEY"));
	/* Who names one himself means that one. */
	write_secret("handed over\n", 12);
	setenv("TEST_KEY", "from the variable", 1);
	assert_string_equal(complaint(), "");
	assert_string_equal(key.text, "from the variable");
	unsetenv("CREDENTIALS_DIRECTORY");
	unlink(link);
	rmdir(directory);
}

static void
a_secret_file_is_not_cut(void **state)
{
	static char bytes[20000];

	(void)state;
	memset(bytes, 'k', sizeof(bytes));
	setenv("TEST_EXTRA_FILE", path, 1);
	write_secret(bytes, sizeof(bytes));
	assert_non_null(strstr(complaint(), "TEST_EXTRA_FILE"));
	write_secret(bytes, 16000);
	assert_string_equal(complaint(), "");
	assert_int_equal(strlen(extra.text), 16000);
	forget(&extra);
}

static void
a_secret_is_never_shown(void **state)
{
	(void)state;
	setenv("TEST_KEY", "sesame", 1);
	setenv("TEST_COUNT", "many", 1);
	assert_null(strstr(complaint(), "sesame"));
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_set_has_its_preset),
		TEST(what_is_set_is_taken),
		TEST(empty_is_not_set),
		TEST(numbers_are_whole_and_in_range),
		TEST(every_bad_setting_is_named_at_once),
		TEST(a_secret_may_come_from_a_file),
		TEST(a_secret_file_that_says_nothing_is_named),
		TEST(a_secret_may_be_a_credential),
		TEST(a_secret_file_is_not_cut),
		TEST(a_secret_is_never_shown),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
