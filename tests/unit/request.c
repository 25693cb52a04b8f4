/*
 * From a request's target to the endpoint that answers it.
 */
#include "fixture.h"

#define ANSWERS(fn, m, p)						\
	ENDPOINT(fn) = { .method = HTTP_##m, .path = p,			\
	    .access = ACCESS_PUBLIC, .rate = RATE_NONE };		\
	static struct status fn(struct req *rq) { return reply_json(rq, 200, "{}"); }

ANSWERS(anything, GET, "/*")
ANSWERS(get_page, GET, "/{page}")
ANSWERS(root, GET, "/")
ANSWERS(get_order, GET, "/api/orders/{id}")
ANSWERS(update_order, PUT, "/api/orders/{id}")
ANSWERS(delete_order, DELETE, "/api/orders/{id}")
ANSWERS(list_recent, GET, "/api/orders/recent")
ANSWERS(list_orders, GET, "/api/orders")
ANSWERS(place_order, POST, "/api/orders")
ANSWERS(get_line, GET, "/api/orders/{id}/lines/{line}")

static const char *allow;

/* The name of the endpoint that is found, "" when none is. */
static const char *
route(const char *method, const char *target)
{
	BEGIN(.method = method, .uri = target);
	if (!request_parse_target(&it))
		return "malformed";
	it.entry = request_route(&it, &allow);
	return it.entry == NULL ? "" : it.entry->name;
}

static const char *
decoded(const char *s, bool plus_is_space)
{
	BEGIN(.method = "GET", .uri = "/");
	return url_decode(&it, s, strlen(s), plus_is_space);
}

static void
escapes_are_decoded(void **state)
{
	(void)state;
	assert_string_equal(decoded("", false), "");
	assert_string_equal(decoded("a%20b%2Fc%2fd", false), "a b/c/d");
	assert_string_equal(decoded("%C3%A9%ff", false), "\xc3\xa9\xff");
	assert_string_equal(decoded("a+b", false), "a+b");
	assert_string_equal(decoded("a+b%2B", true), "a b+");
	assert_string_equal(decoded("%2525", false), "%25");
}

static void
broken_escapes_and_nul_are_refused(void **state)
{
	static const char *const bad[] = { "%", "a%", "%4", "%g0", "%0g", "% 1", "%+1", "%%41",
	    "a%00b", "%00" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_null(decoded(bad[i], true));
	/* Bytes behind the end are nobody's business. */
	assert_null(url_decode(&it, "%41", 2, false));
}

static void
method_and_path_find_the_endpoint(void **state)
{
	(void)state;
	assert_string_equal(route("GET", "/"), "root");
	assert_string_equal(route("GET", "/api/orders"), "list_orders");
	assert_string_equal(route("POST", "/api/orders?x=/api/orders/1"), "place_order");
	assert_string_equal(route("GET", "/api/orders/7#here"), "get_order");
	assert_string_equal(it.path_values[0], "7");
	assert_string_equal(it.query_string, "");
	assert_string_equal(route("PUT", "/api/orders/7?a=%2F&b"), "update_order");
	assert_string_equal(it.query_string, "a=%2F&b");
	assert_string_equal(route("GET", "/api/orders/a%2Fb/lines/%7B"), "get_line");
	assert_string_equal(it.path_values[0], "a/b");
	assert_string_equal(it.path_values[1], "{");
}

static void
a_literal_beats_a_name(void **state)
{
	(void)state;
	assert_string_equal(route("GET", "/api/orders/recent"), "list_recent");
	assert_string_equal(route("GET", "/api/orders/recent2"), "get_order");
	assert_string_equal(route("GET", "/api/orders/recen"), "get_order");
	assert_string_equal(route("GET", "/about"), "get_page");
	assert_string_equal(route("DELETE", "/api/orders/recent"), "delete_order");
	assert_string_equal(it.path_values[0], "recent");
}

static void
head_is_get_without_a_body(void **state)
{
	(void)state;
	assert_string_equal(route("HEAD", "/api/orders/7"), "get_order");
	assert_string_equal(route("HEAD", "/api/orders/recent"), "list_recent");
}

static void
what_nothing_else_answers_has_its_endpoint(void **state)
{
	(void)state;
	assert_string_equal(route("GET", "/no/where"), "anything");
	assert_string_equal(route("PATCH", "/api/orders"), "anything");
	assert_string_equal(route("GET", "/api/orders/1/lines"), "anything");
	assert_string_equal(route("get", "/api/orders"), "anything");
}

/* In whatever order the endpoints were linked. */
static void
assert_allowed(const char *method, const char *target, const char *list)
{
	const char *at = list;

	assert_string_equal(route(method, target), "anything");
	if (allow == NULL)
		allow = "";
	assert_int_equal(strlen(allow), strlen(list));
	while (*at != '\0') {
		size_t n = strcspn(at, ", ");

		assert_non_null(memmem(allow, strlen(allow), at, n));
		at += n + strspn(at + n, ", ");
	}
}

static void
a_wrong_method_is_told_the_right_ones(void **state)
{
	(void)state;
	assert_allowed("PATCH", "/api/orders", "GET, HEAD, POST");
	assert_allowed("POST", "/api/orders/7", "GET, HEAD, PUT, DELETE");
	assert_allowed("POST", "/api/orders/recent", "GET, HEAD, PUT, DELETE");
	assert_allowed("GET", "/no/where", "");
}

static void
paths_are_made_plain(void **state)
{
	static const char *const same[] = { "/api/orders/7", "//api//orders//7",
	    "/api/orders/7/", "/./api/./orders/7/.", "/api/x/../orders/7", "/../../api/orders/7",
	    "/api/orders/8/../7", "/api/%6frders/%37", "/api/%2e%2e/api/orders/7",
	    "/api/orders/7/%2E", "http://shop.example/api/orders/7",
	    "https://shop.example:8443/api/orders/7?x" };

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		assert_string_equal(route("GET", same[i]), "get_order");
		assert_string_equal(it.path_values[0], "7");
	}
	assert_string_equal(route("GET", "/api/orders/.."), "get_page");
	assert_string_equal(route("GET", "/api/.."), "root");
	assert_string_equal(route("GET", "///"), "root");
	assert_string_equal(route("GET", "/api/orders/..."), "get_order");
}

static void
malformed_targets_are_refused(void **state)
{
	static const char *const bad[] = { "", "*", "api/orders", "shop.example:443",
	    "http:/api/orders", "/api/orders/%", "/api/%zz", "/api/orders/%00" };
	char target[128] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_string_equal(route("GET", bad[i]), "malformed");
	assert_string_equal(route(NULL, "/"), "malformed");
	assert_string_equal(route("GET", NULL), "malformed");
	for (int i = 0; i < MAX_SEGMENTS; i++)
		strcat(target, "/a");
	assert_string_equal(route("GET", target), "anything");
	assert_string_equal(route("GET", strcat(target, "/a")), "malformed");
}

static void
headers_are_limited(void **state)
{
	char *variables[MAX_HEADERS + 2] = { NULL };
	char header[] = "HTTP_X_A=b";
	const struct incoming in = { .variables = variables, .body = "" };

	(void)state;
	for (int i = 0; i < MAX_HEADERS; i++)
		variables[i] = header;
	request_begin(&it, &in);
	it.method = "GET";
	it.uri = "/";
	assert_true(request_parse_target(&it));
	variables[MAX_HEADERS] = header;
	request_begin(&it, &in);
	it.method = "GET";
	it.uri = "/";
	assert_false(request_parse_target(&it));
}

static void
variables_are_picked_by_their_whole_name(void **state)
{
	char *const variables[] = { (char[]){ "REQUEST_METHODX=PUT" },
	    (char[]){ "REQUEST_METHOD=GET" }, (char[]){ "REQUEST_URI=/a?b=c" },
	    (char[]){ "HTTP_X_REQUEST_ID=abc" }, (char[]){ "HTTP_AUTHORIZATION=" },
	    (char[]){ "HTTP_STRIPE_SIGNATURE=t=1" }, (char[]){ "REMOTE_ADDR" }, NULL };

	(void)state;
	request_begin(&it, &(struct incoming){ .variables = variables, .body = "" });
	assert_string_equal(it.method, "GET");
	assert_string_equal(it.uri, "/a?b=c");
	assert_string_equal(it.authorization, "");
	assert_null(it.remote_address);
	assert_string_equal(req_id(&it), "abc");
	assert_string_equal(req_header(&it, "HTTP_STRIPE_SIGNATURE"), "t=1");
	assert_null(req_header(&it, "HTTP_STRIPE"));
}

/* X-Forwarded-For and X_Forwarded_For are one variable by then. */
static void
of_two_variables_of_one_name_neither_is_believed(void **state)
{
	(void)state;
	BEGIN(.method = "GET", .uri = "/", .variables = { "HTTP_X_FORWARDED_FOR=198.51.100.1" });
	assert_string_equal(it.forwarded_for, "198.51.100.1");
	BEGIN(.method = "GET", .uri = "/", .variables = { "HTTP_X_FORWARDED_FOR=198.51.100.1",
	    "HTTP_X_FORWARDED_FOR=127.0.0.1" });
	assert_string_equal(it.forwarded_for, "");
	BEGIN(.method = "GET", .uri = "/", .variables = { "HTTP_X_FORWARDED_FOR=198.51.100.1",
	    "HTTP_X_FORWARDED_FOR=127.0.0.1", "HTTP_X_FORWARDED_FOR=127.0.0.1" });
	assert_string_equal(it.forwarded_for, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_are_decoded),
		cmocka_unit_test(broken_escapes_and_nul_are_refused),
		cmocka_unit_test(method_and_path_find_the_endpoint),
		cmocka_unit_test(a_literal_beats_a_name),
		cmocka_unit_test(head_is_get_without_a_body),
		cmocka_unit_test(what_nothing_else_answers_has_its_endpoint),
		cmocka_unit_test(a_wrong_method_is_told_the_right_ones),
		cmocka_unit_test(paths_are_made_plain),
		cmocka_unit_test(malformed_targets_are_refused),
		cmocka_unit_test(headers_are_limited),
		cmocka_unit_test(of_two_variables_of_one_name_neither_is_believed),
		cmocka_unit_test(variables_are_picked_by_their_whole_name),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, finish);
}
