/*
 * Declared fields of a JSON body: what reaches the handler, and what the
 * client is told of everything else.
 */
#include "settings.h"

#include "fixture.h"

struct input {
	const char *id, *slug;
	const char *name, *code, *email, *color, *ref, *on, *price, *weight, *tags, *ids, *items;
	int64_t count;
};

static const struct field line[] = {
	ITEM("productId", ID, "What", .required = true),
	ITEM("quantity", INT, "How many", .required = true, .min = 1, .max = 10000),
	ITEM("note", STR, "Why", .max = 10),
	{ .where = F_END }
};

ENDPOINT(put_thing) = {
	.method = HTTP_PUT, .path = "/things/{id}/{slug}", .access = ACCESS_PUBLIC,
	.rate = RATE_NONE,
	.input = FIELDS(
		PATH(id, ID, "Which"),
		PATH(slug, STR, "Its words", .min = 2, .max = 5),
		BODY(name, STR, "Name", .required = true, .min = 2, .max = 5),
		BODY(code, STR, "Code", .bytes = true, .max = 4),
		BODY(email, EMAIL, "Address"),
		BODY(color, CHOICE, "Color", .choices = CHOICES("red", "blue")),
		BODY(count, INT, "Count", .min = -5, .max = 100, .preset = 7),
		BODY_AS(ref, "otherId", ID, "Another"),
		BODY(on, BOOL, "Whether"),
		BODY(price, MONEY, "Price"),
		BODY(weight, NUMBER, "Weight"),
		BODY(tags, STRS, "Tags", .max = 3, .not_null = true),
		BODY(ids, IDS, "Others", .max = 3),
		BODY(items, LIST, "Lines", .min = 1, .max = 2, .item = line)),
};

static struct status put_thing(struct req *rq) { return reply_json(rq, 200, "{}"); }

#define PUT(json)	READ(.method = "PUT", .uri = "/things/1/ab", \
			    .type = "application/json", .body = (json))

/* {"name":"abc", then the member}: whether its field is refused so. */
static void
assert_code(const char *member, const char *field, const char *expected)
{
	char body[2048];

	snprintf(body, sizeof(body), "{\"name\":\"abc\",%s}", member);
	PUT(body);
	assert_string_equal(field_code(field), expected);
	assert_int_equal(it.field_error_count, *expected != '\0');
}

static void
every_kind_of_field_arrives(void **state)
{
	const struct input *in = READ(.method = "PUT", .uri = "/things/12/b%C3%A9",
	    .type = "application/json; charset=utf-8",
	    .body = "{\"name\":\"\xc3\xa9t\xc3\xa9 x\",\"code\":\"abcd\","
	    "\"email\":\" Ann@Shop.Example \","
	    "\"color\":\"blue\",\"count\":-5,\"otherId\":9223372036854775807,\"on\":false,"
	    "\"price\":19.9,\"weight\":\"1.125\",\"tags\":[\"a\",\"\\\"\"],"
	    "\"items\":[{\"productId\":7,\"quantity\":2},"
	    "{\"quantity\":10000,\"productId\":9007199254740993,\"note\":\"n\"}]}");

	(void)state;
	assert_non_null(in);
	assert_string_equal(in->id, "12");
	assert_string_equal(in->slug, "b\xc3\xa9");
	assert_string_equal(in->name, "\xc3\xa9t\xc3\xa9 x");
	assert_string_equal(in->code, "abcd");
	assert_string_equal(in->email, "ann@shop.example");
	assert_string_equal(in->color, "blue");
	assert_int_equal(in->count, -5);
	assert_string_equal(in->ref, "9223372036854775807");
	assert_string_equal(in->on, "false");
	assert_string_equal(in->price, "1990");
	assert_string_equal(in->weight, "1.125");
	assert_string_equal(in->tags, "[\"a\",\"\\\"\"]");
	assert_string_equal(in->items, "[{\"productId\":\"7\",\"quantity\":\"2\",\"note\":null},"
	    "{\"productId\":\"9007199254740993\",\"quantity\":\"10000\",\"note\":\"n\"}]");
}

static void
absent_is_null_or_the_preset(void **state)
{
	const struct input *in = PUT("{\"name\":\"abc\",\"email\":null,\"count\":null}");

	(void)state;
	assert_non_null(in);
	assert_null(in->email);
	assert_null(in->items);
	assert_int_equal(in->count, 7);
	/* Sent as null is still sent: that is how a client clears a field. */
	assert_true(req_has(&it, in, name));
	assert_true(req_has(&it, in, email));
	assert_true(req_has(&it, in, count));
	assert_false(req_has(&it, in, price));
}

static void
all_bad_fields_are_told_at_once(void **state)
{
	(void)state;
	assert_null(PUT("{\"email\":\"x\",\"color\":\"green\",\"count\":101,\"otherId\":0,"
	    "\"on\":\"yes\",\"price\":\"1.999\",\"weight\":-1,\"tags\":{},\"role\":\"admin\"}"));
	assert_int_equal(it.status, 400);
	assert_int_equal(it.error, ERR_INVALID_INPUT);
	assert_int_equal(it.field_error_count, 10);
	assert_string_equal(field_code("name"), "required");
	assert_string_equal(field_code("email"), "format");
	assert_string_equal(field_code("color"), "choice");
	assert_string_equal(field_code("count"), "out_of_range");
	assert_string_equal(field_code("otherId"), "type");
	assert_string_equal(field_code("on"), "type");
	assert_string_equal(field_code("price"), "format");
	assert_string_equal(field_code("weight"), "format");
	assert_string_equal(field_code("tags"), "type");
	assert_string_equal(field_code("role"), "unknown");
}

static void
an_empty_body_lacks_what_is_required(void **state)
{
	(void)state;
	assert_null(READ(.method = "PUT", .uri = "/things/1/ab"));
	assert_string_equal(field_code("name"), "required");
	assert_null(PUT("{}"));
	assert_string_equal(field_code("name"), "required");
	assert_null(PUT("{\"name\":null}"));
	assert_string_equal(field_code("name"), "required");
}

static void
null_is_refused_where_it_would_say_something(void **state)
{
	(void)state;
	assert_code("\"tags\":null", "tags", "required");
	assert_code("\"tags\":[]", "tags", "");
	assert_code("\"color\":null", "color", "");
	assert_non_null(PUT("{\"name\":\"abc\"}"));
}

static void
text_is_counted_in_characters_or_bytes(void **state)
{
	(void)state;
	assert_null(PUT("{\"name\":\"\xc3\xa9\"}"));
	assert_string_equal(field_code("name"), "too_short");
	assert_null(PUT("{\"name\":\"    \"}"));
	assert_string_equal(field_code("name"), "too_short");
	assert_null(PUT("{\"name\":\"abcdef\"}"));
	assert_string_equal(field_code("name"), "too_long");
	assert_non_null(PUT("{\"name\":\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xc3\xa9\xc3\xa9x\"}"));
	assert_null(PUT("{\"name\":12}"));
	assert_string_equal(field_code("name"), "type");
	assert_code("\"code\":\"\xc3\xa9\xc3\xa9\"", "code", "");
	assert_code("\"code\":\"\xc3\xa9\xc3\xa9x\"", "code", "too_long");
}

static void
addresses_have_one_at_and_a_domain(void **state)
{
	static const char *const bad[] = { "", "@", "a@", "@b.c", "a", "a@b", "a@b@c.d", "a b@c.d",
	    "a@b..c", "a@.b.c", "a@b.c.", "a@b.c,d@e.f", "<a@b.c>", "a@b.c\\n", "\xc3\xa9@b.c",
	    "a;@b.c", "a@b.c\\u0001",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b.c" };
	char member[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(member, sizeof(member), "\"email\":\"%s\"", bad[i]);
		/* White space around an address is a slip, not a mistake. */
		assert_code(member, "email", strcmp(bad[i], "a@b.c\\n") == 0 ? "" : "format");
	}
	assert_code("\"email\":\"a.b+c_d@e-f.g.example\"", "email", "");
	assert_code("\"email\":7", "email", "type");
}

static void
numbers_are_read_without_losing_a_digit(void **state)
{
	static const struct { const char *member, *field, *code; } cases[] = {
		{ "\"count\":100", "count", "" },
		{ "\"count\":-6", "count", "out_of_range" },
		{ "\"count\":99999999999999999999", "count", "out_of_range" },
		{ "\"count\":1.0", "count", "type" },
		{ "\"count\":1e1", "count", "type" },
		{ "\"count\":\"1\"", "count", "type" },
		{ "\"count\":true", "count", "type" },
		{ "\"otherId\":9223372036854775808", "otherId", "type" },
		{ "\"otherId\":-1", "otherId", "type" },
		{ "\"otherId\":\"1\"", "otherId", "type" },
		{ "\"price\":0.1", "price", "" },
		{ "\"price\":\"0.10\"", "price", "" },
		{ "\"price\":1e2", "price", "format" },
		{ "\"price\":-1", "price", "format" },
		{ "\"price\":0.30000000000000004", "price", "format" },
		{ "\"price\":100000000000.01", "price", "format" },
		{ "\"price\":[]", "price", "type" },
		{ "\"weight\":999999999.000", "weight", "" },
		{ "\"weight\":999999999.001", "weight", "format" },
		{ "\"weight\":1.0001", "weight", "format" },
		{ "\"on\":true", "on", "" },
		{ "\"on\":1", "on", "type" },
		{ "\"on\":\"true\"", "on", "type" },
		{ "\"color\":\"Red\"", "color", "choice" },
		{ "\"color\":null", "color", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_code(cases[i].member, cases[i].field, cases[i].code);
}

static void
lists_name_the_entry_that_is_wrong(void **state)
{
	(void)state;
	assert_null(PUT("{\"name\":\"abc\",\"items\":[{\"productId\":1,\"quantity\":0},"
	    "{\"productId\":\"1\",\"price\":1}],\"tags\":[\"a\",\"\",3]}"));
	assert_string_equal(field_code("items[0].quantity"), "out_of_range");
	assert_string_equal(field_code("items[1].productId"), "type");
	assert_string_equal(field_code("items[1].quantity"), "required");
	assert_string_equal(field_code("items[1].price"), "unknown");
	assert_string_equal(field_code("tags[1]"), "too_short");
	assert_string_equal(field_code("tags[2]"), "type");
	assert_int_equal(it.field_error_count, 6);
	assert_code("\"items\":[1]", "items[0]", "type");
	assert_code("\"items\":[null]", "items[0]", "type");
	assert_code("\"items\":[]", "items", "count");
	assert_code("\"items\":[{},{},{}]", "items", "count");
	assert_code("\"items\":{}", "items", "type");
	assert_code("\"tags\":[\"1\",\"2\",\"3\",\"4\"]", "tags", "count");
	assert_code("\"tags\":[]", "tags", "");
}

static void
ids_come_as_numbers(void **state)
{
	const struct input *in = PUT("{\"name\":\"abc\",\"ids\":[1,9223372036854775807]}");

	(void)state;
	assert_non_null(in);
	assert_string_equal(in->ids, "[1,9223372036854775807]");
	assert_code("\"ids\":[1,0]", "ids[1]", "type");
	assert_code("\"ids\":[\"1\"]", "ids[0]", "type");
	assert_code("\"ids\":[1.5]", "ids[0]", "type");
	assert_code("\"ids\":[9223372036854775808]", "ids[0]", "type");
	assert_code("\"ids\":1", "ids", "type");
	assert_code("\"ids\":[1,2,3,4]", "ids", "count");
	assert_code("\"ids\":[]", "ids", "");
}

static void
long_unknown_names_are_cut_at_a_character(void **state)
{
	char body[512] = "{\"x";

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(body, "\xc3\xa9");
	assert_null(PUT(strcat(body, "\":1}")));
	assert_int_equal(strlen(it.field_errors->field), 99);
}

static void
more_errors_than_fit_are_counted_only(void **state)
{
	char body[8192] = "{\"name\":\"abc\"", *at = body + strlen(body);

	(void)state;
	for (int i = 0; i < 150; i++)
		at += sprintf(at, ",\"u%d\":1", i);
	strcpy(at, "}");
	assert_null(PUT(body));
	assert_int_equal(it.field_error_count, 150);
	assert_string_equal(field_code("u99"), "unknown");
	assert_string_equal(field_code("u100"), "");
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
		cmocka_unit_test(every_kind_of_field_arrives),
		cmocka_unit_test(absent_is_null_or_the_preset),
		cmocka_unit_test(all_bad_fields_are_told_at_once),
		cmocka_unit_test(an_empty_body_lacks_what_is_required),
		cmocka_unit_test(null_is_refused_where_it_would_say_something),
		cmocka_unit_test(text_is_counted_in_characters_or_bytes),
		cmocka_unit_test(addresses_have_one_at_and_a_domain),
		cmocka_unit_test(numbers_are_read_without_losing_a_digit),
		cmocka_unit_test(lists_name_the_entry_that_is_wrong),
		cmocka_unit_test(ids_come_as_numbers),
		cmocka_unit_test(long_unknown_names_are_cut_at_a_character),
		cmocka_unit_test(more_errors_than_fit_are_counted_only),
	};

	return cmocka_run_group_tests_name("check", tests, set_up, finish);
}
