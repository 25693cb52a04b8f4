/*
 * JSON bodies: what is let in, what is refused and why, and that every number
 * keeps the text it came with.
 */
#include "body.h"

#include "fixture.h"

static const char *problem;

/* From memory of exactly that length, so that a sanitizer sees one byte more. */
static const cJSON *
parse_bytes(const char *bytes, size_t n)
{
	char *exact = malloc(n == 0 ? 1 : n);
	const cJSON *root;

	assert_non_null(exact);
	memcpy(exact, bytes, n);
	BEGIN(.method = "POST", .uri = "/");
	problem = NULL;
	root = body_parse(&it, exact, n, &problem);
	free(exact);
	assert_true((root == NULL) == (problem != NULL));
	return root;
}

static const cJSON *
parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void
assert_refused(const char *text, const char *why)
{
	assert_null(parse(text));
	assert_non_null(strstr(problem, why));
}

static const char *
number(const cJSON *root, const char *name)
{
	const cJSON *node = cJSON_GetObjectItemCaseSensitive(root, name);

	assert_true(cJSON_IsNumber(node));
	return node->valuestring;
}

/* open n times, then close n times. */
static const char *
nested(const char *open, char close, size_t n)
{
	static char text[4096];
	size_t length = strlen(open);

	for (size_t i = 0; i < n; i++) {
		memcpy(text + i * length, open, length);
		text[n * length + i] = close;
	}
	text[n * (length + 1)] = '\0';
	return text;
}

static void
depth_is_limited(void **state)
{
	(void)state;
	assert_non_null(parse(nested("[", ']', MAX_JSON_DEPTH)));
	assert_refused(nested("[", ']', MAX_JSON_DEPTH + 1), "too deeply");
	assert_refused(nested("[", ']', 2000), "too deeply");
	assert_refused(nested("{\"\":", '}', MAX_JSON_DEPTH + 1), "too deeply");
	assert_non_null(parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""));
}

/* An array of n values. */
static const char *
array_of(const char *value, size_t n)
{
	static char text[512 << 10];
	char *at = stpcpy(text, "[");

	for (size_t i = 0; i < n; i++)
		at = stpcpy(stpcpy(at, i == 0 ? "" : ","), value);
	stpcpy(at, "]");
	return text;
}

static void
counts_are_limited(void **state)
{
	char text[8192], *at = text;

	(void)state;
	assert_non_null(parse(array_of("1", MAX_JSON_VALUES)));
	assert_refused(array_of("1", MAX_JSON_VALUES + 1), "too many values");
	assert_refused(array_of("[]", 3 * MAX_JSON_VALUES), "too many values");
	assert_refused(array_of("\"a\"", 3 * MAX_JSON_VALUES), "too many values");
	for (int i = 0; i <= MAX_JSON_MEMBERS; i++)
		at += sprintf(at, "%s\"k%d\":0", i == 0 ? "{" : ",", i);
	stpcpy(at, "}");
	assert_refused(text, "too many members");
	stpcpy(strrchr(text, ','), "}");
	assert_non_null(parse(text));
}

static void
names_stand_once_in_an_object(void **state)
{
	(void)state;
	assert_refused("{\"a\":1,\"b\":2,\"a\":3}", "\"a\" stands there twice");
	assert_refused("{\"x\":[{\"a\":1,\"a\":1}]}", "\"a\" stands there twice");
	assert_refused("{\"a\":1,\"\\u0061\":2}", "\"a\" stands there twice");
	assert_refused("{\"\":1,\"\":2}", "twice");
	assert_non_null(parse("{\"a\":1,\"A\":2}"));
	assert_non_null(parse("[{\"a\":1},{\"a\":{\"a\":1}}]"));
}

static void
a_long_name_is_quoted_in_whole_characters(void **state)
{
	char name[256] = "x", text[600];

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(name, "\xc3\xa9");
	snprintf(text, sizeof(text), "{\"%s\":1,\"%s\":2}", name, name);
	assert_null(parse(text));
	for (const char *s = problem; *s != '\0'; ) {
		size_t n = utf8_length((const unsigned char *)s, strlen(s));

		assert_true(n > 0);
		s += n;
	}
}

static void
utf8_is_whole_and_shortest(void **state)
{
	static const char *const good[] = { "\xc2\x80", "\xc3\xa9", "\xdf\xbf",
	    "\xe0\xa0\x80", "\xe2\x82\xac", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
	    "\xf0\x90\x80\x80", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\x7f" };
	static const char *const bad[] = { "\x80", "\xbf", "\xc3", "\xe2\x82", "\xf0\x9f\x98",
	    "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xf0\x80\x80\xaf",
	    "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\xbd\xed\xb8\x80",
	    "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
	    "\xc3(", "\xe2(\xa1", "\xe2\x82(" };
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snprintf(text, sizeof(text), "[\"%s\"]", good[i]);
		assert_non_null(parse(text));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "[\"%s\"]", bad[i]);
		assert_refused(text, "not valid UTF-8");
		snprintf(text, sizeof(text), "{\"%s\":1}", bad[i]);
		assert_refused(text, "not valid UTF-8");
	}
}

static void
strings_hold_no_nul_and_no_control_characters(void **state)
{
	(void)state;
	assert_null(parse_bytes("[\"a\0b\"]", 7));
	assert_null(parse_bytes("{}\0", 3));
	assert_null(parse_bytes("{}\0{}", 5));
	assert_refused("[\"a\\u0000b\"]", "NUL");
	assert_refused("{\"a\\u0000\":1}", "NUL");
	assert_refused("[\"a\nb\"]", "control character");
	assert_refused("[\"a\tb\"]", "control character");
	assert_refused("[\"\x1f\"]", "control character");
	/* A backslash, then plain text. */
	assert_string_equal(parse("[\"\\\\u0000\"]")->child->valuestring, "\\u0000");
	assert_string_equal(parse("[\"\\u0001\\n\"]")->child->valuestring, "\x01\n");
}

static void
surrogates_come_in_pairs(void **state)
{
	static const char *const bad[] = { "\\ud83d", "\\ude00", "\\ud83dx", "\\ud83d\\n",
	    "\\ud83d\\u0041", "\\ud83d\\ud83d", "\\ude00\\ud83d", "\\ud83d\\u" };
	char text[32];

	(void)state;
	assert_string_equal(parse("[\"\\ud83d\\ude00\"]")->child->valuestring, "\xf0\x9f\x98\x80");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "[\"%s\"]", bad[i]);
		assert_refused(text, "not valid JSON");
	}
}

static void
numbers_are_those_of_rfc_8259(void **state)
{
	static const char *const good[] = { "0", "-0", "1", "-1", "10", "1.5", "0.5", "1e5",
	    "1E5", "1e+5", "1e-5", "1.5e10", "0e0", "1e999", "-1e-999",
	    "123456789012345678901234567890", "0.1000000000000000055511151231257827" };
	static const char *const bad[] = { "01", "-01", "00", "1.", "-", "-.5", ".5", "+1",
	    "1e", "1e+", "1.e5", "1.5.5", "1e5e5", "0x10", "1_0", "1-2", "NaN", "-NaN",
	    "Infinity", "-Infinity", "1f", "1 2" };
	char text[128], digits[66];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snprintf(text, sizeof(text), "{\"n\":%s}", good[i]);
		assert_string_equal(number(parse(text), "n"), good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "{\"n\":%s}", bad[i]);
		assert_null(parse(text));
	}
	memset(digits, '1', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	snprintf(text, sizeof(text), "[%s]", digits);
	assert_refused(text, "too many digits");
}

static void
numbers_keep_their_text_wherever_they_stand(void **state)
{
	const cJSON *root = parse("{\"a\":[1.10,[2.20],{\"x\":9007199254740993}],"
	    "\"s\":\"4.40\",\"b\":{\"c\":3.30e1},\"t\":true,\"z\":-0.0}");
	const cJSON *a, *c;

	(void)state;
	assert_non_null(root);
	a = cJSON_GetObjectItemCaseSensitive(root, "a");
	assert_string_equal(a->child->valuestring, "1.10");
	assert_string_equal(a->child->next->child->valuestring, "2.20");
	assert_string_equal(number(a->child->next->next, "x"), "9007199254740993");
	c = cJSON_GetObjectItemCaseSensitive(root, "b");
	assert_string_equal(number(c, "c"), "3.30e1");
	assert_string_equal(number(root, "z"), "-0.0");
}

static void
only_one_whole_document_is_taken(void **state)
{
	static const char *const bad[] = { "", " ", "\n", "{} x", "{}{}", "{},", "[]]", "]",
	    "}", "{", "[", "[}", "{]", "\"", "\"a", "\"\\\"", "{\"a\"}", "{\"a\":}", "{a:1}",
	    "{'a':1}", "{1:1}", "[1,]", "[,1]", "[1 1]", "{\"a\":1,}", "{,}", "tru", "nul",
	    "TRUE", "truefalse", "true false", "/**/{}", "{}//", "\xef\xbb\xbf{}", "\v{}",
	    "\x01{}", "{}\f", "[\"\\x41\"]", "[\"\\u12\"]", "[\"\\uzzzz\"]", "[undefined]" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_null(parse(bad[i]));
	assert_non_null(parse(" \t\r\n{ \"a\" : [ 1 , null , true , false ] } \t\r\n"));
	assert_true(cJSON_IsNull(parse("null")));
	assert_true(cJSON_IsString(parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")));
}

static void
no_part_of_a_document_is_one(void **state)
{
	static const char whole[] = "{\"a\":[-1.5e+3,\"\\ud83d\\ude00\xe2\x82\xac\",true,null]}";

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		assert_null(parse_bytes(whole, n));
	assert_non_null(parse(whole));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(counts_are_limited),
		cmocka_unit_test(names_stand_once_in_an_object),
		cmocka_unit_test(a_long_name_is_quoted_in_whole_characters),
		cmocka_unit_test(utf8_is_whole_and_shortest),
		cmocka_unit_test(strings_hold_no_nul_and_no_control_characters),
		cmocka_unit_test(surrogates_come_in_pairs),
		cmocka_unit_test(numbers_are_those_of_rfc_8259),
		cmocka_unit_test(numbers_keep_their_text_wherever_they_stand),
		cmocka_unit_test(only_one_whole_document_is_taken),
		cmocka_unit_test(no_part_of_a_document_is_one),
	};

	return cmocka_run_group_tests_name("body", tests, NULL, finish);
}
