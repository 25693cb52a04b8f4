/*
 * Stripe-Signature: Stripe's own vectors, and everything that must not pass.
 */
#include "stripe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define SECRET	"whsec_test_secret"
#define SIGNED	"88a022085c6bdb887b02cb26ff76dd681234d9675c0f22844059f55552a8883a"
#define T	"1492774577"
#define V1	"v1=" SIGNED
#define OTHER	"53db955548b6ec41c58f61e2e77fecf822ba72c007bcee667f1c60cb31849202"

static const int64_t at = 1492774577;
static const char body[] = "{\"id\":\"evt_test_webhook\",\"object\":\"event\"}";

static bool
is_good(const char *header)
{
	return stripe_signature_is_good(header, body, strlen(body), SECRET, at);
}

static bool
is_good_with(const char *secrets)
{
	return stripe_signature_is_good("t=" T "," V1, body, strlen(body), secrets, at);
}

static bool
is_good_at(int64_t now)
{
	return stripe_signature_is_good("t=" T "," V1, body, strlen(body), SECRET, now);
}

static void
vectors_are_good(void **state)
{
	static const char utf8[] =
	    "{\n  \"id\": \"evt_1\",\n"
	    "  \"name\": \"\xc5\xbb\xc3\xb3\xc5\x82\xc4\x87 \xe2\x82\xac\"\n}";

	(void)state;
	assert_true(is_good("t=" T "," V1));
	assert_true(stripe_signature_is_good("t=1700000000,v1=" OTHER, utf8, strlen(utf8),
	    SECRET, 1700000000));
}

static void
another_body_time_or_secret_is_refused(void **state)
{
	char changed[sizeof(body)];

	(void)state;
	for (size_t i = 0; i < strlen(body); i++) {
		memcpy(changed, body, sizeof(body));
		changed[i] ^= 1;
		assert_false(stripe_signature_is_good("t=" T "," V1, changed, strlen(body),
		    SECRET, at));
	}
	assert_false(stripe_signature_is_good("t=" T "," V1, body, strlen(body) - 1, SECRET, at));
	assert_false(stripe_signature_is_good("t=" T "," V1, body, 0, SECRET, at));
	assert_false(is_good("t=1492774578," V1));
	assert_false(is_good("t=01492774577," V1));
	assert_false(is_good("t=" T ",v1=" OTHER));
}

static void
every_hex_digit_counts(void **state)
{
	char header[128];

	(void)state;
	for (size_t i = 0; i < strlen(SIGNED); i++) {
		char *digit;

		strcpy(header, "t=" T "," V1);
		digit = header + strlen("t=" T ",v1=") + i;
		*digit = *digit == '0' ? '1' : '0';
		assert_false(is_good(header));
	}
}

static void
five_minutes_are_tolerated_either_way(void **state)
{
	(void)state;
	assert_true(is_good_at(at + 300));
	assert_false(is_good_at(at + 301));
	assert_true(is_good_at(at - 300));
	assert_false(is_good_at(at - 301));
	assert_false(is_good_at(0));
	assert_false(is_good_at(INT32_MAX));
}

static void
one_good_signature_of_several_is_enough(void **state)
{
	(void)state;
	assert_true(is_good("t=" T ",v1=" OTHER "," V1));
	assert_true(is_good("t=" T "," V1 ",v1=" OTHER));
	assert_true(is_good("t=" T ",v1=junk," V1));
	assert_true(is_good(V1 ",t=" T));
	assert_false(is_good("t=" T ",v1=" OTHER ",v1=" OTHER));
}

static void
one_good_secret_of_several_is_enough(void **state)
{
	(void)state;
	assert_true(is_good_with(SECRET ",whsec_new"));
	assert_true(is_good_with("whsec_new," SECRET));
	assert_true(is_good_with(",,whsec_new,,," SECRET ","));
	assert_false(is_good_with("whsec_new,whsec_newer"));
	assert_false(is_good_with(""));
	assert_false(is_good_with(","));
	/* The key is the whole secret, its prefix too. */
	assert_false(is_good_with("test_secret"));
	assert_false(is_good_with(SECRET " "));
}

static void
an_empty_secret_signs_nothing(void **state)
{
	/* HMAC-SHA256 of "1492774577." under an empty key. */
	static const char header[] = "t=" T
	    ",v1=9c5d6bd8629b96f9e44c38fcf435d0dff72111dda7c831fb63ee7385badde39e";

	(void)state;
	assert_false(stripe_signature_is_good(header, "", 0, "", at));
	assert_false(stripe_signature_is_good(header, "", 0, ",", at));
}

static void
schemes_other_than_v1_are_ignored(void **state)
{
	(void)state;
	assert_false(is_good("t=" T ",v0=" SIGNED));
	assert_false(is_good("t=" T ",v2=" SIGNED));
	assert_false(is_good("t=" T ",v1x=" SIGNED));
	assert_false(is_good("t=" T ",xv1=" SIGNED));
	assert_true(is_good("t=" T ",v0=" OTHER "," V1));
	assert_true(is_good("t=" T "," V1
	    ",v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"));
}

static void
malformed_headers_are_refused(void **state)
{
	static const char *const bad[] = { "", ",", "t=", "t=" T, V1, "," V1, "t=," V1,
	    "t=" T ",t=" T "," V1, "t=abc," V1, "t=-1492774577," V1, "t=+1492774577," V1,
	    "t= 1492774577," V1, "t=1492774577.0," V1, "t=1492774577 ," V1, "T=" T "," V1,
	    "t=0x58fa1b31," V1, "t=14927745771492774577," V1, "t=" T ",v1=",
	    "t=" T ";" V1, "t=" T "," V1 "0", "t=" T ", " V1,
	    "t=" T ",v1=88a022085c6bdb887b02cb26ff76dd681234d9675c0f22844059f55552a8883",
	    "t=" T ",v1=88A022085C6BDB887B02CB26FF76DD681234D9675C0F22844059F55552A8883A",
	    "t=" T ",v1=" SIGNED SIGNED, "v1", "t", "=", "\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(is_good(bad[i]));
	assert_false(is_good(NULL));
}

static void
signatures_are_tried_up_to_a_bound(void **state)
{
	char header[16384] = "t=" T, *more;

	(void)state;
	for (int i = 0; i < 127; i++)
		strcat(header, ",v1=" OTHER);
	more = header + strlen(header);
	strcat(header, "," V1);
	assert_true(is_good(header));
	strcpy(more, ",v1=" OTHER "," V1);
	assert_false(is_good(header));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_are_good),
		cmocka_unit_test(another_body_time_or_secret_is_refused),
		cmocka_unit_test(every_hex_digit_counts),
		cmocka_unit_test(five_minutes_are_tolerated_either_way),
		cmocka_unit_test(one_good_signature_of_several_is_enough),
		cmocka_unit_test(one_good_secret_of_several_is_enough),
		cmocka_unit_test(an_empty_secret_signs_nothing),
		cmocka_unit_test(schemes_other_than_v1_are_ignored),
		cmocka_unit_test(malformed_headers_are_refused),
		cmocka_unit_test(signatures_are_tried_up_to_a_bound),
	};

	return cmocka_run_group_tests_name("stripe_signature", tests, NULL, NULL);
}
