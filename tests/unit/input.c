/*
 * Where input comes from: path, query, form and body, and the targets, media
 * types and bodies that are refused before any field is looked at.
 */
#include "settings.h"

#include "fixture.h"

struct input {
	const char *id, *slug, *name, *on, *price, *color, *ref;
	int64_t count;
};

ENDPOINT(put_thing) = {
	.method = HTTP_PUT, .path = "/things/{id}/{slug}", .access = ACCESS_PUBLIC,
	.rate = RATE_NONE,
	.input = FIELDS(
		PATH(id, ID, "Which"),
		PATH(slug, STR, "Its words", .min = 2, .max = 5),
		BODY(name, STR, "Name", .required = true)),
};

ENDPOINT(list_things) = {
	.method = HTTP_GET, .path = "/things", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.input = FIELDS(
		PARAM(name, STR, "Words", .max = 5),
		PARAM(count, INT, "Page", .min = 1, .max = 100, .preset = 20),
		PARAM(on, BOOL, "Whether"),
		PARAM(price, MONEY, "At least"),
		PARAM(color, CHOICE, "Color", .choices = CHOICES("red", "blue")),
		PARAM(ref, ID, "Another")),
};

ENDPOINT(send_form) = {
	.method = HTTP_POST, .path = "/form", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.form = true,
	.input = FIELDS(
		BODY(name, STR, "Name", .required = true),
		BODY(count, INT, "Count", .max = 100, .preset = 1)),
};

ENDPOINT(send_raw) = {
	.method = HTTP_POST, .path = "/raw", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.raw_body = true,
};

static struct status put_thing(struct req *rq) { return reply_json(rq, 200, "{}"); }
static struct status list_things(struct req *rq) { return reply_json(rq, 200, "{}"); }
static struct status send_form(struct req *rq) { return reply_json(rq, 200, "{}"); }
static struct status send_raw(struct req *rq) { return reply_json(rq, 200, "{}"); }

#define PUT(json)	READ(.method = "PUT", .uri = "/things/1/ab", \
			    .type = "application/json", .body = (json))
#define GET(target)	READ(.method = "GET", .uri = (target))
#define FORM(pairs)	READ(.method = "POST", .uri = "/form", .body = (pairs), \
			    .type = "application/x-www-form-urlencoded")

static void
a_path_that_names_nothing_is_not_found(void **state)
{
	static const char *const bad[] = { "/things/0/ab", "/things/01/ab", "/things/-1/ab",
	    "/things/abc/ab", "/things/1.5/ab", "/things/9223372036854775808/ab",
	    "/things/+1/ab", "/things/1%20/ab", "/things/99999999999999999999/ab",
	    "/things/1/a", "/things/1/abcdef", "/things/1/a%ff" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_null(READ(.method = "PUT", .uri = bad[i], .type = "application/json",
		    .body = "{\"name\":\"abc\"}"));
		assert_int_equal(it.error, ERR_NOT_FOUND);
		assert_null(it.field_errors);
	}
}

static void
an_absent_parameter_is_null_or_the_preset(void **state)
{
	const struct input *in = GET("/things?name=&on=");

	(void)state;
	assert_non_null(in);
	assert_null(in->name);
	assert_null(in->on);
	assert_int_equal(in->count, 20);
	assert_false(req_has(&it, in, name));
}

static void
parameters_are_decoded_and_checked(void **state)
{
	const struct input *in = GET("/things?name=a+%26%C3%A9&count=3&on=1&price=1.5&color=red"
	    "&ref=5&&unknown=1&other");

	(void)state;
	assert_non_null(in);
	assert_string_equal(in->name, "a &\xc3\xa9");
	assert_int_equal(in->count, 3);
	assert_string_equal(in->on, "true");
	assert_string_equal(in->price, "150");
	assert_string_equal(in->color, "red");
	assert_string_equal(in->ref, "5");
	assert_null(GET("/things?name=abcdef&count=0&on=maybe&price=x&color=&ref=x&count=2"));
	assert_string_equal(field_code("name"), "too_long");
	assert_string_equal(field_code("count"), "duplicate");
	assert_string_equal(field_code("on"), "type");
	assert_string_equal(field_code("price"), "format");
	assert_string_equal(field_code("color"), "");
	assert_string_equal(field_code("ref"), "type");
	assert_null(GET("/things?name=%ff"));
	assert_string_equal(field_code("name"), "format");
}

static void
broken_encoding_is_malformed(void **state)
{
	static const char *const bad[] = { "/things?name=%", "/things?name=%4",
	    "/things?name=%zz", "/things?x%=1", "/things?name=a%00b" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_null(GET(bad[i]));
		assert_int_equal(it.error, ERR_MALFORMED);
	}
}

static void
parameters_are_limited(void **state)
{
	char target[1024] = "/things?";

	(void)state;
	for (int i = 0; i < MAX_PARAMETERS; i++)
		strcat(target, "p=1&");
	assert_non_null(GET(target));
	assert_null(GET(strcat(target, "p=1")));
	assert_int_equal(it.error, ERR_MALFORMED);
}

static void
forms_are_read_like_queries(void **state)
{
	const struct input *in = FORM("name=a+b%21&count=5");

	(void)state;
	assert_non_null(in);
	assert_string_equal(in->name, "a b!");
	assert_int_equal(in->count, 5);
	assert_null(FORM("count=101"));
	assert_string_equal(field_code("name"), "required");
	assert_string_equal(field_code("count"), "out_of_range");
	assert_null(FORM("name=%"));
	assert_int_equal(it.error, ERR_MALFORMED);
}

static void
only_json_is_accepted_as_json(void **state)
{
	static const char *const good[] = { "application/json", "APPLICATION/JSON",
	    "application/json;charset=utf-8", "application/json ; charset=utf-8" };
	static const char *const bad[] = { NULL, "", "text/plain", "application/jsonp",
	    "application/x-www-form-urlencoded", "text/json, application/json" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_non_null(READ(.method = "PUT", .uri = "/things/1/ab", .type = good[i],
		    .body = "{\"name\":\"abc\"}"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_null(READ(.method = "PUT", .uri = "/things/1/ab", .type = bad[i],
		    .body = "{\"name\":\"abc\"}"));
		assert_int_equal(it.error, ERR_UNSUPPORTED_MEDIA_TYPE);
	}
}

static void
a_body_is_one_whole_object(void **state)
{
	static const char *const bad[] = { "[]", "1", "null", "\"x\"", "{\"name\":", "x",
	    "{\"name\":\"abc\",\"name\":\"abd\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_null(PUT(bad[i]));
		assert_int_equal(it.error, ERR_MALFORMED);
	}
	assert_null(READ(.method = "POST", .uri = "/raw", .body = "x", .cut_short = true));
	assert_int_equal(it.error, ERR_MALFORMED);
	assert_null(READ(.method = "POST", .uri = "/raw", .too_large = true));
	assert_int_equal(it.error, ERR_BODY_TOO_LARGE);
}

static void
a_raw_body_is_left_alone(void **state)
{
	size_t n;

	(void)state;
	assert_non_null(READ(.method = "POST", .uri = "/raw", .body = "\0{\xff", .length = 3));
	assert_memory_equal(req_body(&it, &n), "\0{\xff", 3);
	assert_int_equal(n, 3);
}

static int
set_up(void **state)
{
	(void)state;
	return settings_read() ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_parameter_is_null_or_the_preset),
		cmocka_unit_test(a_path_that_names_nothing_is_not_found),
		cmocka_unit_test(parameters_are_decoded_and_checked),
		cmocka_unit_test(broken_encoding_is_malformed),
		cmocka_unit_test(parameters_are_limited),
		cmocka_unit_test(forms_are_read_like_queries),
		cmocka_unit_test(only_json_is_accepted_as_json),
		cmocka_unit_test(a_body_is_one_whole_object),
		cmocka_unit_test(a_raw_body_is_left_alone),
	};

	return cmocka_run_group_tests_name("input", tests, set_up, finish);
}
