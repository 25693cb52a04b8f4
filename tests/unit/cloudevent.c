/*
 * CloudEvents, by what the HTTP protocol binding 1.0.2 and the core specification
 * say of headers, bodies and attributes.
 */
#include "cloudevent.h"
#include "settings.h"

#include "fixture.h"

#include "../../shared/sink.h"

#define BINARY(...)	.method = "POST", .uri = "/", .type = "application/json", \
	.variables = { "HTTP_CE_SPECVERSION=1.0", "HTTP_CE_ID=1234-1234-1234", \
	    "HTTP_CE_SOURCE=/mycontext/subcontext", "HTTP_CE_TYPE=com.example.someevent", \
	    __VA_ARGS__ }
#define STRUCTURED(json) .method = "POST", .uri = "/", .body = (json), \
	.type = "application/cloudevents+json; charset=UTF-8"
#define LEAST	"\"specversion\":\"1.0\",\"id\":\"C1\",\"source\":\"/s\",\"type\":\"t\""

static struct event e;

static bool
read_event(const struct sent *s)
{
	begin(s);
	return cloudevent_read(&it, &e);
}
#define EVENT(...)	read_event(&(struct sent){ __VA_ARGS__ })

static void
headers_are_decoded_once(void **state)
{
	static const struct { const char *sent, *read; } vectors[] = {
		/* The specification's own example. */
		{ "Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u20ac \U0001f600" },
		{ "%e2%82%ac", "\u20ac" },		/* lower case */
		{ "%41", "A" },				/* not needed, accepted */
		{ "%2541", "%41" },			/* one round */
		{ "\"quoted\"", "quoted" },		/* older versions */
		{ "\"a \\\"b\\\" \\\\ c\"", "a \"b\" \\ c" },
		{ "\"%41\"", "A" },			/* unquoted first */
		{ "\"", "\"" },
		{ "c 9", "c 9" },			/* a space nobody encoded */
		{ "a+b", "a+b" },
	};
	static const char *const bad[] = { "%C0%A0", "%ff", "%", "%4", "%zz", "a%00b", "%0A",
	    "%7F", "%C2%80", "%EF%BF%BF", "%ED%A0%80", "\xff" };

	(void)state;
	BEGIN(.method = "POST", .uri = "/");
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++)
		assert_string_equal(cloudevent_header(&it, vectors[i].sent), vectors[i].read);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_null(cloudevent_header(&it, bad[i]));
}

static void
headers_are_encoded_so_that_they_come_back(void **state)
{
	static const char all[] = "Euro \u20ac \U0001f600 \"100%\" ~!";

	(void)state;
	BEGIN(.method = "POST", .uri = "/");
	assert_string_equal(sink_header(&it, "Euro \u20ac \U0001f600"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
	assert_string_equal(sink_header(&it, "c 9"), "c%209");
	assert_string_equal(sink_header(&it, "!\"#%~\x7f"), "!%22#%25~%7F");
	assert_string_equal(sink_header(&it, "orders/17"), "orders/17");
	assert_string_equal(cloudevent_header(&it, sink_header(&it, all)), all);
}

static void
binary_mode_is_in_headers(void **state)
{
	(void)state;
	assert_true(EVENT(BINARY("HTTP_CE_TIME=2018-04-05T03:56:24Z", "HTTP_CE_SUBJECT=orders%2F17",
	    "HTTP_CE_KNATIVEARRIVALTIME=2026-01-01T00:00:00Z")));
	assert_string_equal(e.id, "1234-1234-1234");
	assert_string_equal(e.source, "/mycontext/subcontext");
	assert_string_equal(e.type, "com.example.someevent");
	assert_string_equal(e.subject, "orders/17");
	assert_false(EVENT(BINARY("HTTP_CE_DATACONTENTTYPE=application/json")));
	assert_string_equal(field_code("ce-datacontenttype"), "unknown");
	assert_false(EVENT(BINARY("HTTP_CE_SUBJECT=%C0%A0")));
	assert_string_equal(field_code("ce-subject"), "format");
	assert_false(EVENT(BINARY("HTTP_CE_SUBJECT=")));
	assert_string_equal(field_code("ce-subject"), "length");
}

static void
what_lacks_is_named(void **state)
{
	(void)state;
	assert_false(EVENT(.method = "POST", .uri = "/", .variables = { "HTTP_CE_ID=1" }));
	assert_int_equal(it.error, ERR_INVALID_INPUT);
	assert_string_equal(field_code("ce-id"), "");
	assert_string_equal(field_code("ce-specversion"), "required");
	assert_string_equal(field_code("ce-source"), "required");
	assert_string_equal(field_code("ce-type"), "required");
	assert_false(EVENT(STRUCTURED("{\"specversion\":\"1.0\",\"id\":null,\"source\":\"\",\"type\":\"t\"}")));
	assert_string_equal(field_code("id"), "required");
	assert_string_equal(field_code("source"), "length");
	assert_string_equal(field_code("type"), "");
}

static void
structured_mode_is_one_object(void **state)
{
	static const struct { const char *json, *field, *code; } bad[] = {
		{ "{" LEAST ",\"specversion\":\"0.3\"}", "specversion", "" },	/* twice: malformed */
		{ "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/\",\"type\":\"t\"}", "specversion", "choice" },
		{ "{" LEAST ",\"subject\":17}", "subject", "type" },
		{ "{" LEAST ",\"time\":\"yesterday\"}", "time", "format" },
		{ "{" LEAST ",\"Extension\":\"x\"}", "Extension", "unknown" },
		{ "{" LEAST ",\"ext\":{}}", "ext", "type" },
		{ "{" LEAST ",\"data_base64\":1}", "data_base64", "type" },
		{ "{" LEAST ",\"data\":{},\"data_base64\":\"AA==\"}", "data_base64", "unknown" },
	};

	(void)state;
	assert_true(EVENT(STRUCTURED("{" LEAST ",\"subject\":\"a\",\"ext\":1,\"flag\":true,"
	    "\"none\":null,\"time\":\"2018-04-05T17:31:00.123+02:00\",\"data\":[1,{\"Any\":\"thing\"}]}")));
	assert_string_equal(e.id, "C1");
	assert_string_equal(e.subject, "a");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(EVENT(STRUCTURED(bad[i].json)));
		assert_string_equal(field_code(bad[i].field), bad[i].code);
	}
	assert_false(EVENT(STRUCTURED("[]")));
	assert_int_equal(it.error, ERR_MALFORMED);
	assert_false(EVENT(STRUCTURED("{" LEAST)));
	assert_int_equal(it.error, ERR_MALFORMED);
}

static void
the_mode_is_told_by_the_media_type(void **state)
{
	static const char *const refused[] = { "application/cloudevents-batch+json",
	    "application/cloudevents-batch+json; charset=UTF-8", "application/cloudevents+avro",
	    "application/cloudevents", "Application/CloudEvents-Batch+json" };

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		assert_false(EVENT(.method = "POST", .uri = "/", .type = refused[i], .body = "[]"));
		assert_int_equal(it.error, ERR_UNSUPPORTED_MEDIA_TYPE);
	}
	assert_true(EVENT(.method = "POST", .uri = "/", .type = "APPLICATION/CLOUDEVENTS+JSON",
	    .body = "{" LEAST "}", .variables = { "HTTP_CE_ID=another" }));
	assert_string_equal(e.id, "C1");
	/* No event, but a call. */
	assert_true(EVENT(.method = "POST", .uri = "/"));
	assert_null(e.id);
	assert_true(EVENT(.method = "POST", .uri = "/", .type = "application/json", .body = "{}"));
	assert_null(e.id);
}

static void
times_are_as_rfc_3339_has_them(void **state)
{
	static const char *const good[] = { "2018-04-05T17:31:00Z", "1985-04-12t23:20:50.52z",
	    "1996-12-19T16:39:57-08:00", "1990-12-31T23:59:60Z" };
	static const char *const bad[] = { "2018-04-05", "2018-04-05 17:31:00Z", "2018-13-05T17:31:00Z",
	    "2018-04-05T25:31:00Z", "2018-04-05T17:31:00", "2018-04-05T17:31:00.Z", "2018-04-05T17:31:00Zx",
	    "2018-04-05T17:31:00+2:00", "2018-04-05T17:31Z" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		char variable[64];

		snprintf(variable, sizeof(variable), "HTTP_CE_TIME=%s", good[i]);
		assert_true(EVENT(BINARY(variable)));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char variable[64];

		snprintf(variable, sizeof(variable), "HTTP_CE_TIME=%s", bad[i]);
		assert_false(EVENT(BINARY(variable)));
		assert_string_equal(field_code("ce-time"), "format");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_decoded_once),
		cmocka_unit_test(headers_are_encoded_so_that_they_come_back),
		cmocka_unit_test(binary_mode_is_in_headers),
		cmocka_unit_test(what_lacks_is_named),
		cmocka_unit_test(structured_mode_is_one_object),
		cmocka_unit_test(the_mode_is_told_by_the_media_type),
		cmocka_unit_test(times_are_as_rfc_3339_has_them),
	};

	return cmocka_run_group_tests_name("cloudevent", tests, NULL, finish);
}
