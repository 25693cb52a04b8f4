/*
 * What is decided about a request, and how a refusal looks on the wire.
 */
#include "http.h"

#include "fixture.h"

#include <cjson/cJSON.h>

static cJSON *document;

/* The problem document of the reply. */
static void
finish_reply(void)
{
	reply_finish(&it);
	cJSON_Delete(document);
	document = cJSON_ParseWithOpts(it.body_out, NULL, true);
	assert_non_null(document);
	assert_int_equal(it.body_out_length, strlen(it.body_out));
}

static const char *
member(const char *name)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(document, name);

	assert_true(cJSON_IsString(m));
	return m->valuestring;
}

static const char *
header(const char *name)
{
	const char *value = NULL;

	for (const struct header *h = it.headers; h != NULL; h = h->next) {
		if (strcmp(h->name, name) == 0) {
			assert_null(value);
			value = h->value;
		}
	}
	return value;
}

static void
a_refusal_is_a_problem_document(void **state)
{
	(void)state;
	BEGIN(.method = "GET", .uri = "/", .variables = { "HTTP_X_REQUEST_ID=the-id" });
	assert_int_equal(fail(&it, ERR_INSUFFICIENT_STOCK).code, 409);
	assert_true(req_failed(&it));
	finish_reply();
	assert_int_equal(it.status, 409);
	assert_string_equal(it.content_type_out, "application/problem+json");
	assert_string_equal(member("type"), "/problems/insufficient_stock");
	assert_string_equal(member("title"), error_text(ERR_INSUFFICIENT_STOCK));
	assert_string_equal(member("detail"), error_text(ERR_INSUFFICIENT_STOCK));
	assert_string_equal(member("error"), member("detail"));
	assert_string_equal(member("code"), "insufficient_stock");
	assert_string_equal(member("request_id"), "the-id");
	assert_int_equal(cJSON_GetObjectItem(document, "status")->valueint, 409);
	assert_int_equal(cJSON_GetArraySize(document), 7);
	assert_string_equal(header("Cache-Control"), "no-store");
}

static void
every_error_has_a_sound_document(void **state)
{
	(void)state;
	for (int e = ERR_NONE + 1; e < ERR_COUNT; e++) {
		BEGIN(.method = "GET", .uri = "/");
		fail(&it, (enum err)e);
		finish_reply();
		assert_int_equal(it.status, error_status((enum err)e));
		assert_in_range(it.status, 400, 599);
		assert_int_equal(error_named(member("code")), e);
		assert_true((header("WWW-Authenticate") != NULL) == (it.status == 401));
		if (it.status == 503)
			assert_string_equal(header("Retry-After"), "1");
	}
	assert_int_equal(error_named("no_such_error"), ERR_NONE);
	assert_int_equal(error_named(""), ERR_NONE);
}

static void
text_given_is_the_detail(void **state)
{
	(void)state;
	BEGIN(.method = "GET", .uri = "/");
	fail_text(&it, ERR_MALFORMED, "At \"%s\", line %d\n", "x\\y", 7);
	finish_reply();
	assert_string_equal(member("detail"), "At \"x\\y\", line 7\n");
	assert_string_equal(member("error"), member("detail"));
	assert_string_equal(member("title"), error_text(ERR_MALFORMED));
}

static void
a_long_text_is_cut_between_characters(void **state)
{
	char text[1000];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		char *at = text + shift;

		memset(text, 'x', shift);
		while (at < text + 900)
			at = stpcpy(at, "\xe2\x82\xac");
		BEGIN(.method = "GET", .uri = "/");
		fail_text(&it, ERR_MALFORMED, "%s", text);
		finish_reply();
		assert_true(utf8_is_valid(it.body_out));
		assert_in_range(strlen(member("detail")), 500, 512);
		assert_memory_equal(member("detail"), text, strlen(member("detail")));
	}
}

static void
the_first_decision_stands(void **state)
{
	(void)state;
	BEGIN(.method = "GET", .uri = "/");
	fail(&it, ERR_UNAVAILABLE);
	assert_int_equal(fail(&it, ERR_NOT_FOUND).code, 503);
	assert_int_equal(fail_text(&it, ERR_FORBIDDEN, "no").code, 503);
	assert_int_equal(fail_field(&it, "a", "type", "Must be b").code, 503);
	assert_int_equal(reply_json(&it, 200, "{}").code, 503);
	assert_int_equal(reply_message(&it, 200, "Done").code, 503);
	finish_reply();
	assert_string_equal(member("code"), "unavailable");
	assert_string_equal(member("detail"), error_text(ERR_UNAVAILABLE));
	assert_null(cJSON_GetObjectItem(document, "errors"));

	BEGIN(.method = "GET", .uri = "/");
	assert_int_equal(reply_json(&it, 201, "{\"a\":1}").code, 201);
	assert_int_equal(fail(&it, ERR_INTERNAL).code, 201);
	assert_false(req_failed(&it));
	finish_reply();
	assert_string_equal(it.body_out, "{\"a\":1}");
}

static void
bad_fields_add_up(void **state)
{
	const cJSON *errors;

	(void)state;
	BEGIN(.method = "POST", .uri = "/");
	fail_field(&it, "name", "required", "Is required");
	fail_field(&it, "items[0].quantity", "out_of_range", "Must be from 1 to 10");
	/* A client's own name for a field comes back, harmless. */
	fail_field(&it, "\"}\n", "unknown", "There is no such field");
	finish_reply();
	assert_int_equal(it.status, 400);
	assert_string_equal(member("code"), "invalid_input");
	errors = cJSON_GetObjectItem(document, "errors");
	assert_int_equal(cJSON_GetArraySize(errors), 3);
	assert_string_equal(cJSON_GetObjectItem(errors->child->next, "field")->valuestring,
	    "items[0].quantity");
	assert_string_equal(cJSON_GetObjectItem(errors->child, "code")->valuestring, "required");
	assert_string_equal(cJSON_GetObjectItem(errors->child, "message")->valuestring,
	    "Is required");
	assert_string_equal(cJSON_GetObjectItem(errors->child->next->next, "field")->valuestring,
	    "\"}\n");
}

static void
members_of_the_databases_making_are_added(void **state)
{
	const cJSON *products;

	(void)state;
	BEGIN(.method = "POST", .uri = "/");
	it.problem_members = "\"products\":[{\"id\":7,\"left\":0}]";
	fail(&it, ERR_INSUFFICIENT_STOCK);
	finish_reply();
	products = cJSON_GetObjectItem(document, "products");
	assert_int_equal(cJSON_GetObjectItem(products->child, "id")->valueint, 7);
	assert_string_equal(member("code"), "insufficient_stock");
}

static void
an_answer_is_taken_as_it_is(void **state)
{
	(void)state;
	BEGIN(.method = "GET", .uri = "/");
	reply_json(&it, 200, "{\"price\":\"1.50\"}");
	reply_header(&it, "Cache-Control", "public, max-age=60");
	finish_reply();
	assert_string_equal(it.content_type_out, "application/json");
	assert_string_equal(it.body_out, "{\"price\":\"1.50\"}");
	assert_string_equal(header("Cache-Control"), "public, max-age=60");
	BEGIN(.method = "GET", .uri = "/");
	reply_message(&it, 202, "\"Sent\"");
	finish_reply();
	assert_string_equal(it.body_out, "{\"message\":\"\\\"Sent\\\"\"}");
}

static void
no_row_is_not_found(void **state)
{
	(void)state;
	BEGIN(.method = "GET", .uri = "/");
	assert_int_equal(reply_json(&it, 200, NULL).code, 404);
	assert_int_equal(it.error, ERR_NOT_FOUND);
}

static void
cache_tags_to_purge_add_up(void **state)
{
	(void)state;
	BEGIN(.method = "POST", .uri = "/");
	assert_null(it.purge);
	cache_purge(&it, "products");
	assert_string_equal(it.purge, "products");
	cache_purge(&it, "reviews categories");
	assert_string_equal(it.purge, "products reviews categories");
}

static void
a_rerun_starts_from_nothing(void **state)
{
	(void)state;
	BEGIN(.method = "POST", .uri = "/");
	reply_header(&it, "Location", "/a");
	cache_purge(&it, "products");
	it.problem_members = "\"a\":1";
	fail_field(&it, "a", "b", "c");
	reply_clear(&it);
	assert_false(req_failed(&it));
	assert_null(header("Location"));
	assert_null(it.purge);
	fail(&it, ERR_NOT_FOUND);
	finish_reply();
	assert_string_equal(member("detail"), error_text(ERR_NOT_FOUND));
	assert_null(cJSON_GetObjectItem(document, "errors"));
	assert_null(cJSON_GetObjectItem(document, "a"));
}

static void
a_handler_that_decides_nothing_is_our_fault(void **state)
{
	(void)state;
	BEGIN(.method = "GET", .uri = "/");
	capture();
	reply_finish(&it);
	assert_non_null(strstr(captured(), "decided nothing"));
	assert_int_equal(it.status, 500);
}

static int
tear_down(void **state)
{
	cJSON_Delete(document);
	return finish(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_a_problem_document),
		cmocka_unit_test(every_error_has_a_sound_document),
		cmocka_unit_test(text_given_is_the_detail),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
		cmocka_unit_test(the_first_decision_stands),
		cmocka_unit_test(bad_fields_add_up),
		cmocka_unit_test(members_of_the_databases_making_are_added),
		cmocka_unit_test(an_answer_is_taken_as_it_is),
		cmocka_unit_test(no_row_is_not_found),
		cmocka_unit_test(cache_tags_to_purge_add_up),
		cmocka_unit_test(a_rerun_starts_from_nothing),
		cmocka_unit_test(a_handler_that_decides_nothing_is_our_fault),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, tear_down);
}
