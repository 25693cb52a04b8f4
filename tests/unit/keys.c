/*
 * The directory of public keys: they come and go, and nothing but P-256
 * public keys is taken for one.
 */
#include "keys.h"
#include "signing.h"

static void
a_new_key_is_found_when_it_is_needed(void **state)
{
	static const char header[] = "{\"alg\":\"ES256\",\"kid\":\"second\"}";
	EVP_PKEY *second = EVP_EC_gen("P-256");
	const char *kid;

	(void)state;
	assert_false(identifies(make_token(header, CLAIMS(), second)));
	/* However soon after the directory was last read. */
	write_public(second, "second");
	assert_true(identifies(make_token(header, CLAIMS(), second)));
	assert_true(identifies(make_token(HEADER, CLAIMS(",\"a\":1"), first)));
	assert_non_null(keys_at(1, &kid));
	assert_null(keys_at(2, &kid));
	remove_public("second");
	EVP_PKEY_free(second);
}

static void
a_removed_key_is_soon_believed_no_more(void **state)
{
	static const char header[] = "{\"alg\":\"ES256\",\"kid\":\"third\"}";
	EVP_PKEY *third = EVP_EC_gen("P-256");
	char token[4096];
	unsigned before;

	(void)state;
	write_public(third, "third");
	strcpy(token, make_token(header, CLAIMS(), third));
	assert_true(identifies(token));
	before = keys_generation();
	remove_public("third");
	/* No token of an unknown key comes by, and this one is remembered. */
	clock_now++;
	assert_false(identifies(token));
	assert_int_not_equal(keys_generation(), before);

	/* Nor where the clock has been put back. */
	write_public(third, "third");
	assert_true(identifies(token));
	before = keys_generation();
	remove_public("third");
	clock_now -= 60;
	assert_false(identifies(token));
	assert_int_not_equal(keys_generation(), before);
	clock_now += 60;
	assert_true(identifies(make_token(HEADER, CLAIMS(",\"c\":1"), first)));
	EVP_PKEY_free(third);
}

/* The same kid again, another key. */
static void
a_replaced_key_is_the_new_one(void **state)
{
	static const char header[] = "{\"alg\":\"ES256\",\"kid\":\"fourth\"}";
	EVP_PKEY *one = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	char from[128], to[128];

	(void)state;
	write_public(one, "fourth");
	assert_true(identifies(make_token(header, CLAIMS(), one)));
	write_public(other, "fourth.new");
	snprintf(from, sizeof(from), "%s/fourth.new.pem", directory);
	snprintf(to, sizeof(to), "%s/fourth.pem", directory);
	assert_int_equal(rename(from, to), 0);
	clock_now++;
	assert_false(identifies(make_token(header, CLAIMS(), one)));
	assert_true(identifies(make_token(header, CLAIMS(), other)));
	remove_public("fourth");
	EVP_PKEY_free(one);
	EVP_PKEY_free(other);
}

/* A second later, so that the directory is read. */
static bool
identifies_a_second_later(const char *token, const char **complaint)
{
	bool good;

	clock_now++;
	capture();
	good = identifies(token);
	*complaint = captured();
	return good;
}

static void
only_p_256_public_keys_are_keys(void **state)
{
	static const char *const curves[] = { "secp256k1", "brainpoolP256r1" };
	char header[64], path[128];
	const char *complaint;
	FILE *f;

	(void)state;
	/* OpenSSL would verify what these have signed. */
	for (size_t i = 0; i < 2; i++) {
		EVP_PKEY *key = EVP_EC_gen(curves[i]);

		assert_non_null(key);
		write_public(key, curves[i]);
		snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", curves[i]);
		assert_false(identifies_a_second_later(make_token(header, CLAIMS(), key),
		    &complaint));
		assert_non_null(strstr(complaint, "not a P-256 public key"));
		remove_public(curves[i]);
		EVP_PKEY_free(key);
	}
	snprintf(path, sizeof(path), "%s/junk.pem", directory);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("junk\n", f);
	fclose(f);
	assert_false(identifies_a_second_later(make_token(
	    "{\"alg\":\"ES256\",\"kid\":\"junk\"}", CLAIMS(), first), &complaint));
	assert_non_null(strstr(complaint, "not a P-256 public key"));
	remove_public("junk");
}

static void
a_directory_that_went_away_keeps_the_keys(void **state)
{
	const char *complaint;
	char elsewhere[80];

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s.away", directory);
	assert_int_equal(rename(directory, elsewhere), 0);
	assert_false(identifies_a_second_later(make_token(
	    "{\"alg\":\"ES256\",\"kid\":\"x\"}", CLAIMS(), first), &complaint));
	assert_non_null(strstr(complaint, "cannot read JWT_PUBLIC_KEYS_DIR"));
	assert_true(identifies(make_token(HEADER, CLAIMS(",\"b\":1"), first)));
	assert_int_equal(rename(elsewhere, directory), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_key_is_found_when_it_is_needed),
		cmocka_unit_test(a_removed_key_is_soon_believed_no_more),
		cmocka_unit_test(a_replaced_key_is_the_new_one),
		cmocka_unit_test(only_p_256_public_keys_are_keys),
		cmocka_unit_test(a_directory_that_went_away_keeps_the_keys),
	};

	return cmocka_run_group_tests_name("keys", tests, set_up, tear_down);
}
