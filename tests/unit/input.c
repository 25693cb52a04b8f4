/*
 * Where input comes from: path, query, form and body, and the targets, media
 * types and bodies that are refused before any field is looked at.
 */
#include "settings.h"

#include "fixture.h"

struct input {
	const char *id, *slug, *name, *on, *price, *color, *ref;
	int64_t count;
	const struct file *image, *icon;
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

ENDPOINT(send_files) = {
	.method = HTTP_POST, .path = "/files", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.multipart = true, .max_body = 2 << 20,
	.input = FIELDS(
		BODY(image, FILE, "A picture", .required = true, .max = 1 << 20),
		BODY(icon, FILE, "A small one", .min = 3, .max = 10),
		BODY(name, STR, "Name", .max = 5),
		BODY(count, INT, "Count", .max = 100, .preset = 1)),
};

static struct status send_files(struct req *rq) { return reply_json(rq, 200, "{}"); }
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

#define FILES(parts)	READ(.method = "POST", .uri = "/files", .body = parts "--b--\r\n", \
			    .type = "multipart/form-data; boundary=b", \
			    .length = sizeof(parts) + sizeof("--b--\r\n") - 2)
#define TEXT(name, value) "--b\r\nContent-Disposition: form-data; name=" name	\
			"\r\n\r\n" value "\r\n"
#define AS_FILE(name, value) TEXT(name "; filename=\"a file\"", value)

static void
a_file_is_a_field(void **state)
{
	const struct input *in = FILES(AS_FILE("image", "\0PNG\xff") TEXT("name", "a\xc3\xa9")
	    TEXT("count", "7"));

	(void)state;
	assert_non_null(in);
	assert_int_equal(in->image->length, 5);
	assert_memory_equal(in->image->bytes, "\0PNG\xff", 5);
	assert_string_equal(in->image->name, "a file");
	assert_true(in->image->bytes > it.in.body && in->image->bytes < it.in.body + 100);
	assert_string_equal(in->name, "a\xc3\xa9");
	assert_int_equal(in->count, 7);
	assert_null(in->icon);
	assert_true(req_has(&it, in, image));
	assert_false(req_has(&it, in, icon));
	/* Empty text is absent, as in a query, and so is a file not chosen. */
	in = FILES(AS_FILE("image", "x") TEXT("name", "") TEXT("count", "")
	    TEXT("icon; filename=\"\"", ""));
	assert_non_null(in);
	assert_null(in->name);
	assert_null(in->icon);
	assert_int_equal(in->count, 1);
}

static void
every_bad_part_is_named(void **state)
{
	(void)state;
	assert_null(FILES(AS_FILE("icon", "12") AS_FILE("name", "x") TEXT("count", "x")
	    TEXT("id", "1") TEXT("\"\"", "")));
	assert_int_equal(it.error, ERR_INVALID_INPUT);
	assert_string_equal(field_code("image"), "required");
	assert_string_equal(field_code("icon"), "too_short");
	assert_string_equal(field_code("name"), "type");
	assert_string_equal(field_code("count"), "type");
	assert_string_equal(field_code("id"), "unknown");
	assert_int_equal(it.field_error_count, 6);
	assert_null(FILES(TEXT("image", "x") AS_FILE("icon", "123") AS_FILE("icon", "123")
	    TEXT("name", "abcdef") TEXT("count", "1") TEXT("count", "2")));
	assert_string_equal(field_code("image"), "type");
	assert_string_equal(field_code("icon"), "duplicate");
	assert_string_equal(field_code("name"), "too_long");
	assert_string_equal(field_code("count"), "duplicate");
	assert_null(FILES(AS_FILE("image", "") TEXT("name", "a\xff")));
	assert_string_equal(field_code("image"), "too_short");
	assert_string_equal(field_code("name"), "format");
	assert_null(FILES(TEXT("image; filename=\"\"", "") TEXT("name", "a\0b")));
	assert_string_equal(field_code("image"), "required");
	assert_string_equal(field_code("name"), "format");
	assert_null(READ(.method = "POST", .uri = "/files"));
	assert_string_equal(field_code("image"), "required");
}

static const void *
send_sized(const char *head, size_t n)
{
	char *body = calloc(1, 3 << 20);
	const void *in;

	assert_non_null(body);
	memset(stpcpy(body, head), 'x', n);
	memcpy(body + strlen(head) + n, "\r\n--b--", 7);
	in = READ(.method = "POST", .uri = "/files", .body = body,
	    .length = strlen(head) + n + 7, .type = "multipart/form-data; boundary=b");
	free(body);
	return in;
}

static void
a_file_is_as_long_as_it_may_be(void **state)
{
	static const char image[] = "--b\r\nContent-Disposition: form-data; name=image; filename=x"
	    "\r\n\r\n";
	static const char text[] = TEXT("image; filename=x", "x")
	    "--b\r\nContent-Disposition: form-data; name=name\r\n\r\n";

	(void)state;
	assert_non_null(send_sized(image, 1 << 20));
	assert_null(send_sized(image, (1 << 20) + 1));
	assert_int_equal(it.error, ERR_BODY_TOO_LARGE);
	assert_non_null(strstr(it.detail, "image must have at most 1048576 bytes"));
	assert_null(send_sized(text, 1 << 20));
	assert_int_equal(it.error, ERR_INVALID_INPUT);
	assert_string_equal(field_code("name"), "too_long");
	/* Each endpoint has its own limit of the whole. */
	assert_null(send_sized(image, 2 << 20));
	assert_int_equal(it.error, ERR_BODY_TOO_LARGE);
	assert_int_equal(request_body_limit(&send_files_endpoint), 2 << 20);
	assert_int_equal(request_body_limit(&put_thing_endpoint), MAX_BODY);
	assert_int_equal(request_body_limit_of_all(), 2 << 20);
}

static void
only_a_form_is_accepted_as_one(void **state)
{
	static const char *const bad[] = { NULL, "application/json", "multipart/mixed; boundary=b",
	    "multipart/form-datas; boundary=b", "application/x-www-form-urlencoded" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_null(READ(.method = "POST", .uri = "/files", .body = "--b--", .type = bad[i]));
		assert_int_equal(it.error, ERR_UNSUPPORTED_MEDIA_TYPE);
	}
	assert_null(READ(.method = "POST", .uri = "/files", .body = "--b--",
	    .type = "multipart/form-data"));
	assert_int_equal(it.error, ERR_MALFORMED);
	assert_non_null(strstr(it.detail, "no boundary"));
	assert_null(READ(.method = "POST", .uri = "/files", .body = "--c--",
	    .type = "multipart/form-data; boundary=b"));
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
		cmocka_unit_test(a_file_is_a_field),
		cmocka_unit_test(every_bad_part_is_named),
		cmocka_unit_test(a_file_is_as_long_as_it_may_be),
		cmocka_unit_test(only_a_form_is_accepted_as_one),
		cmocka_unit_test(only_json_is_accepted_as_json),
		cmocka_unit_test(a_body_is_one_whole_object),
		cmocka_unit_test(a_raw_body_is_left_alone),
	};

	return cmocka_run_group_tests_name("input", tests, set_up, finish);
}
