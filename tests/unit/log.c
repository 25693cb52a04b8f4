/*
 * Log lines: whatever is logged, a line is one JSON object.
 */
#include "body.h"
#include "log.h"

#include "fixture.h"

static cJSON *line;

static const char *
member(const char *name)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(line, name);

	assert_true(cJSON_IsString(m));
	return m->valuestring;
}

/* Takes what was captured for the one line it must be. */
static void
read_line(void)
{
	const char *text = captured();

	assert_non_null(strchr(text, '\n'));
	assert_string_equal(strchr(text, '\n'), "\n");
	cJSON_Delete(line);
	line = cJSON_ParseWithOpts(text, NULL, true);
	assert_non_null(line);
}

static void
a_line_says_when_how_bad_and_who(void **state)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	const char *time;

	(void)state;
	assert_true(log_open("orders-place", "info"));
	capture();
	log_line(LOG_WARN, "the message", "a", "1", "nothing", NULL, NULL);
	read_line();
	time = member("time");
	for (size_t i = 0; i < sizeof(pattern); i++)
		assert_true(pattern[i] == 'd' ? time[i] >= '0' && time[i] <= '9'
		    : time[i] == pattern[i]);
	assert_string_equal(member("level"), "warn");
	assert_string_equal(member("function"), "orders-place");
	assert_string_equal(member("message"), "the message");
}

static void
null_ends_the_pairs_only_as_a_key(void **state)
{
	(void)state;
	capture();
	log_line(LOG_INFO, "m", "nothing", NULL, "after", "x", NULL);
	read_line();
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(line, "nothing")));
	assert_string_equal(member("after"), "x");
}

static void
values_are_escaped(void **state)
{
	char every[128];

	(void)state;
	for (int c = 1; c < 128; c++)
		every[c - 1] = (char)c;
	every[127] = '\0';
	capture();
	log_line(LOG_INFO, every, "quote", "\"},{\"level\":\"error", "utf8",
	    "\xe2\x82\xac \xf0\x9f\x98\x80", NULL);
	read_line();
	assert_string_equal(member("message"), every);
	assert_string_equal(member("quote"), "\"},{\"level\":\"error");
	assert_string_equal(member("utf8"), "\xe2\x82\xac \xf0\x9f\x98\x80");
	assert_string_equal(member("level"), "info");
}

static void
numbers_and_json_stand_bare(void **state)
{
	struct log_text t;

	(void)state;
	capture();
	log_begin(&t, LOG_ERROR);
	log_put_number(&t, "n", INT64_MIN);
	log_put_raw(&t, "list", "[1,2]");
	log_end(&t);
	read_line();
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(line, "list")), 2);
	assert_true(cJSON_IsNumber(cJSON_GetObjectItem(line, "n")));
	assert_string_equal(member("level"), "error");
}

static void
a_long_value_is_cut(void **state)
{
	static const char *const units[] = { "x", "\"", "\\", "\n", "\xe2\x82\xac",
	    "\xf0\x9f\x98\x80" };
	static char value[40000];

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		char *at = value;

		while (at < value + sizeof(value) - 8)
			at = stpcpy(at, units[i]);
		/* So that each unit is cut at each of its bytes. */
		for (size_t shift = 0; shift < 6; shift++) {
			const char *kept, *at_end;

			memmove(value + 1, value, strlen(value) - 8);
			value[0] = 'x';
			capture();
			log_line(LOG_INFO, "m", "long", value, "after", "x", NULL);
			read_line();
			kept = member("long");
			at_end = kept + strlen(kept);
			assert_in_range(at_end - kept, LOG_VALUE / 6, LOG_VALUE);
			while (kept < at_end) {
				size_t n = utf8_length((const unsigned char *)kept,
				    (size_t)(at_end - kept));

				assert_true(n > 0);
				kept += n;
			}
			assert_string_equal(member("after"), "x");
		}
	}
}

static void
what_is_no_text_is_marked(void **state)
{
	(void)state;
	capture();
	log_line(LOG_INFO, "m", "bad", "a\xff" "b\xc3(\xed\xa0\x80\xf0\x9f\x98", "after",
	    "\xc3\xa9", NULL);
	read_line();
#define MARK	"\xef\xbf\xbd"
	assert_string_equal(member("bad"), "a" MARK "b" MARK "(" MARK MARK MARK MARK MARK MARK);
	assert_string_equal(member("after"), "\xc3\xa9");
}

static void
what_does_not_fit_is_left_out_whole(void **state)
{
	static char value[LOG_VALUE * 2];
	struct log_text t;
	char key[8];

	(void)state;
	for (size_t width = 900; width < LOG_VALUE + 100; width++) {
		memset(value, 'x', sizeof(value) - 1);
		value[width] = '\0';
		capture();
		log_begin(&t, LOG_INFO);
		for (int i = 0; i < 40; i++) {
			snprintf(key, sizeof(key), "k%d", i);
			log_put(&t, key, value);
			log_put_number(&t, key, i);
		}
		log_put_raw(&t, "raw", "[1,2,3]");
		log_end(&t);
		read_line();
		assert_int_equal(strlen(member("k0")), width < LOG_VALUE ? width : LOG_VALUE);
		value[width] = 'x';
	}
}

static void
levels_below_the_least_are_silent(void **state)
{
	(void)state;
	assert_false(log_open("f", "verbose"));
	assert_false(log_open("f", ""));
	assert_true(log_open("f", "error"));
	capture();
	log_line(LOG_WARN, "m", NULL);
	assert_string_equal(captured(), "");
	assert_true(log_open("f", "debug"));
	capture();
	log_line(LOG_DEBUG, "m", NULL);
	read_line();
	assert_string_equal(member("level"), "debug");
}

static int
tear_down(void **state)
{
	cJSON_Delete(line);
	return finish(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_when_how_bad_and_who),
		cmocka_unit_test(null_ends_the_pairs_only_as_a_key),
		cmocka_unit_test(values_are_escaped),
		cmocka_unit_test(numbers_and_json_stand_bare),
		cmocka_unit_test(a_long_value_is_cut),
		cmocka_unit_test(what_is_no_text_is_marked),
		cmocka_unit_test(what_does_not_fit_is_left_out_whole),
		cmocka_unit_test(levels_below_the_least_are_silent),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, tear_down);
}
