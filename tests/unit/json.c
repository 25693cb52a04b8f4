/*
 * The JSON writer: whatever is put into it, what comes out is well-formed.
 */
#include "json.h"

#include "fixture.h"

#include <cjson/cJSON.h>
#include <signal.h>

static struct json *
fresh(void)
{
	BEGIN(.method = "GET", .uri = "/");
	return json_new(&it);
}

/* The one string of the document, written and read again. */
static void
assert_survives(const char *s)
{
	struct json *j = fresh();
	cJSON *read;

	json_open(j, '[');
	json_string(j, s);
	read = cJSON_ParseWithOpts(json_text(j), NULL, true);
	assert_non_null(read);
	assert_string_equal(read->child->valuestring, s);
	cJSON_Delete(read);
}

static void
commas_are_the_writers_own(void **state)
{
	struct json *j = fresh();

	(void)state;
	json_open(j, '{');
	json_member(j, "a", "1");
	json_key(j, "b");
	json_open(j, '[');
	json_int(j, 1);
	json_bool(j, true);
	json_bool(j, false);
	json_string(j, NULL);
	json_open(j, '{');
	json_close(j);
	json_open(j, '[');
	json_close(j);
	json_raw(j, "{\"x\":1.50}");
	json_close(j);
	json_key(j, "c");
	json_int(j, -2);
	json_close(j);
	assert_string_equal(json_text(j),
	    "{\"a\":\"1\",\"b\":[1,true,false,null,{},[],{\"x\":1.50}],\"c\":-2}");
}

static void
what_is_open_is_closed_at_the_end(void **state)
{
	struct json *j = fresh();

	(void)state;
	json_open(j, '[');
	json_open(j, '{');
	json_key(j, "a");
	json_open(j, '[');
	assert_string_equal(json_text(j), "[{\"a\":[]}]");
}

static void
a_value_may_stand_alone(void **state)
{
	struct json *j = fresh();

	(void)state;
	json_string(j, "x");
	assert_string_equal(json_text(j), "\"x\"");
}

static void
strings_are_escaped(void **state)
{
	struct json *j = fresh();
	char every[128];

	(void)state;
	json_open(j, '{');
	/* What is no text is marked, for the rest to stay JSON. */
	json_member(j, "bad", "a\xff\xc3(\xed\xa0\x80");
	json_member(j, "a\"b", "\"\\/\n\t\x01\x1f\x7f\xe2\x82\xac");
	assert_string_equal(json_text(j),
	    "{\"bad\":\"a\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\","
	    "\"a\\\"b\":\"\\\"\\\\/\\u000a\\u0009\\u0001\\u001f\\u007f\xe2\x82\xac\"}");
	for (int c = 1; c < 128; c++)
		every[c - 1] = (char)c;
	every[127] = '\0';
	assert_survives(every);
	assert_survives("");
	assert_survives("</script>\xf0\x9f\x98\x80");
}

static void
integers_keep_every_digit(void **state)
{
	struct json *j = fresh();

	(void)state;
	json_open(j, '[');
	json_int(j, INT64_MIN);
	json_int(j, 0);
	json_int(j, INT64_MAX);
	assert_string_equal(json_text(j), "[-9223372036854775808,0,9223372036854775807]");
}

static void
text_grows_as_long_as_it_must(void **state)
{
	enum { MEMBERS = 5000 };
	struct json *j = fresh();
	static char large[200000];
	const cJSON *node;
	cJSON *read;
	int i = 0;

	(void)state;
	json_open(j, '[');
	for (int n = 0; n < MEMBERS; n++)
		json_int(j, n);
	memset(large, '"', sizeof(large) - 1);
	json_string(j, large);
	read = cJSON_ParseWithOpts(json_text(j), NULL, true);
	assert_int_equal(cJSON_GetArraySize(read), MEMBERS + 1);
	cJSON_ArrayForEach(node, read) {
		if (i == MEMBERS)
			assert_string_equal(node->valuestring, large);
		else
			assert_int_equal(node->valueint, i++);
	}
	cJSON_Delete(read);
	/* Every length around the first room. */
	for (size_t n = 480; n < 540; n++) {
		memset(large, 'x', n);
		large[n] = '\0';
		assert_survives(large);
	}
}

static int
key_in_an_array(void)
{
	struct json *j = fresh();

	json_open(j, '[');
	json_key(j, "a");
	return 0;
}

static int
value_without_its_key(void)
{
	struct json *j = fresh();

	json_open(j, '{');
	json_int(j, 1);
	return 0;
}

static int
key_without_its_value(void)
{
	struct json *j = fresh();

	json_open(j, '{');
	json_key(j, "a");
	json_close(j);
	return 0;
}

static int
close_of_nothing(void)
{
	json_close(fresh());
	return 0;
}

static int
nesting_without_end(void)
{
	struct json *j = fresh();

	for (int i = 0; i < 100; i++)
		json_open(j, '[');
	return 0;
}

static void
misuse_is_caught_at_once(void **state)
{
	int (*const misuses[])(void) = { key_in_an_array, value_without_its_key,
	    key_without_its_value, close_of_nothing, nesting_without_end };

	(void)state;
	for (size_t i = 0; i < sizeof(misuses) / sizeof(*misuses); i++) {
		int status;

		capture();
		status = in_child(misuses[i]);
		assert_non_null(strstr(captured(), "Assertion"));
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_are_the_writers_own),
		cmocka_unit_test(what_is_open_is_closed_at_the_end),
		cmocka_unit_test(a_value_may_stand_alone),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(integers_keep_every_digit),
		cmocka_unit_test(text_grows_as_long_as_it_must),
		cmocka_unit_test(misuse_is_caught_at_once),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, finish);
}
