/*
 * base64url: the vectors of RFC 4648, and one spelling per value.
 */
#include "base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const struct { const char *plain, *encoded; } vectors[] = {
	{ "", "" },
	{ "f", "Zg" },
	{ "fo", "Zm8" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg" },
	{ "fooba", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "-_-_" },
	{ "\x14\xfb\x9c\x03\xd9\x7e", "FPucA9l-" },
	{ "\xff\xff\xff\xff", "_____w" },
};

static bool
decodes(const char *encoded)
{
	size_t n = strlen(encoded), length;
	unsigned char *out = malloc(n * 3 / 4 + 1);
	bool good;

	assert_non_null(out);
	good = base64url_decode(encoded, n, out, &length);
	free(out);
	return good;
}

static void
vectors_go_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		size_t n = strlen(vectors[i].plain), length = 99;
		unsigned char plain[16];
		char encoded[16];

		base64url_encode((const unsigned char *)vectors[i].plain, n, encoded);
		assert_string_equal(encoded, vectors[i].encoded);
		assert_true(base64url_decode(encoded, strlen(encoded), plain, &length));
		assert_int_equal(length, n);
		assert_memory_equal(plain, vectors[i].plain, n);
	}
}

static void
every_length_and_byte_survives(void **state)
{
	unsigned char bytes[256], back[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 167 + 3);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		char *encoded = malloc((n + 2) / 3 * 4 + 1);
		size_t length;

		assert_non_null(encoded);
		base64url_encode(bytes, n, encoded);
		assert_int_equal(strlen(encoded), (n * 4 + 2) / 3);
		assert_true(base64url_decode(encoded, strlen(encoded), back, &length));
		assert_int_equal(length, n);
		assert_memory_equal(back, bytes, n);
		free(encoded);
	}
}

static void
other_alphabets_are_refused(void **state)
{
	static const char *const bad[] = { "Zg==", "Zg=", "+/+/", "Zm9v\n", "Zm 9v", " Zm9", "Zm9.",
	    "Zm\xc3\xa9", "Z", "Zm9vY" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(decodes(bad[i]));
	assert_false(base64url_decode("Zm\0v", 4, (unsigned char[4]){ 0 }, &(size_t){ 0 }));
}

static void
a_second_spelling_is_refused(void **state)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	int good = 0;

	(void)state;
	assert_false(decodes("Zh"));
	assert_false(decodes("Zm9"));
	/* Of two digits the second has four bits to spare, of three the third two. */
	for (int i = 0; i < 64; i++) {
		good += decodes((char[]){ 'Z', digits[i], '\0' });
		good += decodes((char[]){ 'Z', 'm', digits[i], '\0' });
	}
	assert_int_equal(good, 4 + 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_go_both_ways),
		cmocka_unit_test(every_length_and_byte_survives),
		cmocka_unit_test(other_alphabets_are_refused),
		cmocka_unit_test(a_second_spelling_is_refused),
	};

	return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
