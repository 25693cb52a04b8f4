/*
 * Access tokens: what identifies a user, and every way not to.
 */
#include "token.h"
#include "signing.h"

#include <openssl/hmac.h>

static bool
claims_are_good(const char *claims)
{
	return identifies(make_token(HEADER, claims, first));
}

static void
a_good_token_says_who_is_asking(void **state)
{
	(void)state;
	assert_true(identifies(make_token(HEADER, CLAIMS(), first)));
	assert_string_equal(req_user(&it), "7");
	assert_string_equal(req_role(&it), "seller");
	assert_string_equal(req_session(&it), SESSION);
	/* And again, when it is remembered. */
	assert_true(identifies(make_token(HEADER, CLAIMS(), first)));
	assert_true(claims_are_good(CLAIMS(",\"nbf\":2000000000,\"more\":{\"a\":[1]}")));
}

static void
the_shops_own_tokens_are_good(void **state)
{
	const char *token;

	(void)state;
	BEGIN(.method = "POST", .uri = "/");
	token = token_access(&it, "42", "a@b.example", "customer", SESSION);
	assert_non_null(token);
	token = strdup(fmt(&it, "Bearer %s", token));
	assert_true(identifies(token));
	assert_string_equal(req_user(&it), "42");
	assert_string_equal(req_role(&it), "customer");
	clock_now += token_access_seconds();
	assert_false(identifies(token));
	clock_now -= token_access_seconds();
	free((char *)(uintptr_t)token);
}

static void
a_token_ends_when_it_expires_though_it_is_remembered(void **state)
{
	const char *token = make_token(HEADER, CLAIMS(), first);

	(void)state;
	assert_true(identifies(token));
	clock_now += 899;
	assert_true(identifies(token));
	clock_now += 1;
	assert_false(identifies(token));
	clock_now -= 900;
}

static void
claims_of_another_kind_are_refused(void **state)
{
	static const char *const bad[] = {
		CLAIMS(",\"nbf\":2000000001"),
		CLAIMS(",\"exp\":2000000900"),
		"{}", "[]", "null", "", "{",
		"{\"iss\":\"souk\",\"aud\":\"souk\",\"sub\":\"7\",\"role\":\"seller\","
		    "\"sid\":\"" SESSION "\"}",
#define WITH(iss, aud, sub, role, sid, exp)					\
	"{\"iss\":" iss ",\"aud\":" aud ",\"sub\":" sub ",\"role\":" role	\
	",\"sid\":" sid ",\"exp\":" exp "}"
#define SID	"\"" SESSION "\""
#define LATER	"2000000900"
		WITH("\"other\"", "\"souk\"", "\"7\"", "\"seller\"", SID, LATER),
		WITH("null", "\"souk\"", "\"7\"", "\"seller\"", SID, LATER),
		WITH("\"souk\"", "\"other\"", "\"7\"", "\"seller\"", SID, LATER),
		WITH("\"souk\"", "[\"souk\"]", "\"7\"", "\"seller\"", SID, LATER),
		WITH("\"souk\"", "\"souk\"", "\"\"", "\"seller\"", SID, LATER),
		WITH("\"souk\"", "\"souk\"", "7", "\"seller\"", SID, LATER),
		WITH("\"souk\"", "\"souk\"", "\"7 OR 1=1\"", "\"seller\"", SID, LATER),
		WITH("\"souk\"", "\"souk\"", "\"-7\"", "\"seller\"", SID, LATER),
		WITH("\"souk\"", "\"souk\"", "\"777777777777777777777777\"", "\"seller\"", SID,
		    LATER),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"root\"", SID, LATER),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"\"", SID, LATER),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "[\"admin\"]", SID, LATER),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"seller\"", "\"\"", LATER),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"seller\"", "\"short\"", LATER),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"seller\"",
		    "\"0195F1C6-0000-4000-8000-000000000001\"", LATER),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"seller\"", SID, "2000000000"),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"seller\"", SID, "0"),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"seller\"", SID, "-1"),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"seller\"", SID, "3e9"),
		WITH("\"souk\"", "\"souk\"", "\"7\"", "\"seller\"", SID, "\"" LATER "\""),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(claims_are_good(bad[i]));
	assert_true(claims_are_good(WITH("\"souk\"", "\"souk\"", "\"7\"", "\"admin\"", SID,
	    LATER)));
}

static void
headers_of_another_kind_are_refused(void **state)
{
	static const char *const bad[] = {
		"{\"alg\":\"none\",\"kid\":\"first\"}",
		"{\"alg\":\"HS256\",\"kid\":\"first\"}",
		"{\"alg\":\"ES384\",\"kid\":\"first\"}",
		"{\"alg\":\"es256\",\"kid\":\"first\"}",
		"{\"alg\":[\"ES256\"],\"kid\":\"first\"}",
		"{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"first\"}",
		"{\"kid\":\"first\"}",
		"{\"alg\":\"ES256\"}",
		"{\"alg\":\"ES256\",\"kid\":\"\"}",
		"{\"alg\":\"ES256\",\"kid\":\"unknown\"}",
		"{\"alg\":\"ES256\",\"kid\":\"../first\"}",
		"{\"alg\":\"ES256\",\"kid\":\"first.pem\"}",
		"{\"alg\":\"ES256\",\"kid\":\"FIRST\"}",
		"{\"alg\":\"ES256\",\"kid\":7}",
		"{\"alg\":\"ES256\",\"kid\":\"first\",\"crit\":[\"exp\"]}",
		"{}", "[]", "", "x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(identifies(make_token(bad[i], CLAIMS(), first)));
}

static void
no_signature_is_no_token(void **state)
{
	char *token = begin_token("{\"alg\":\"none\"}", CLAIMS());

	(void)state;
	assert_false(identifies(token));
	assert_false(identifies(strcat(token, ".")));
	token = begin_token(HEADER, CLAIMS());
	assert_false(identifies(token));
	assert_false(identifies(strcat(token, ".")));
}

/* The classic: HMAC under the public key, which everybody has. */
static void
a_public_key_is_no_hmac_secret(void **state)
{
	static const char *const headers[] = { "{\"alg\":\"HS256\",\"kid\":\"first\"}", HEADER };
	BIO *pem = BIO_new(BIO_s_mem());
	unsigned char mac[32];
	char *secret;
	long n;

	(void)state;
	assert_int_equal(PEM_write_bio_PUBKEY(pem, first), 1);
	n = BIO_get_mem_data(pem, &secret);
	for (size_t i = 0; i < 2; i++) {
		char *token = begin_token(headers[i], CLAIMS());

		HMAC(EVP_sha256(), secret, (int)n, (const unsigned char *)token + 7,
		    strlen(token) - 7, mac, NULL);
		append(stpcpy(token + strlen(token), "."), mac, sizeof(mac));
		assert_false(identifies(token));
	}
	BIO_free(pem);
}

static void
another_keys_signature_is_refused(void **state)
{
	char *token = begin_token(HEADER, CLAIMS());

	(void)state;
	/* r and s of zero: what a careless verifier would take. */
	append(stpcpy(token + strlen(token), "."), (unsigned char[64]){ 0 }, 64);
	assert_false(identifies(token));
	assert_false(identifies(make_token(HEADER, CLAIMS(), stranger)));
}

static void
every_character_counts(void **state)
{
	char changed[4096];
	size_t n = strlen(make_token(HEADER, CLAIMS(), first));

	(void)state;
	for (size_t i = strlen("Bearer "); i < n; i++) {
		strcpy(changed, make_token(HEADER, CLAIMS(), first));
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		assert_false(identifies(changed));
	}
}

static void
a_part_of_a_token_is_none(void **state)
{
	char part[4096];

	(void)state;
	strcpy(part, make_token(HEADER, CLAIMS(), first));
	assert_true(identifies(part));
	for (size_t n = strlen(part); n-- > 0; ) {
		part[n] = '\0';
		assert_false(identifies(part));
	}
}

static void
other_headers_are_not_tokens(void **state)
{
	static char longer[5000];
	const char *token = make_token(HEADER, CLAIMS(), first) + strlen("Bearer ");
	static const char *const formats[] = { "bearer%s", "Basic %s", "%s", "Bearer  %s",
	    "Bearer %s ", "Bearer %s.", "Bearer %s.x", "Bearer %s, Bearer x", "Bearer .%s" };

	(void)state;
	assert_false(identifies(NULL));
	assert_false(identifies(""));
	assert_false(identifies("Bearer"));
	assert_false(identifies("Bearer "));
	assert_false(identifies("Bearer .."));
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		char *at = strstr(strcpy(longer, formats[i]), "%s");
		char rest[32];

		strcpy(rest, at + 2);
		strcpy(stpcpy(at, token), rest);
		assert_false(identifies(longer));
	}
	memset(longer + 7, 'A', sizeof(longer) - 8);
	assert_false(identifies(memcpy(longer, "Bearer ", 7)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_token_says_who_is_asking),
		cmocka_unit_test(the_shops_own_tokens_are_good),
		cmocka_unit_test(a_token_ends_when_it_expires_though_it_is_remembered),
		cmocka_unit_test(claims_of_another_kind_are_refused),
		cmocka_unit_test(headers_of_another_kind_are_refused),
		cmocka_unit_test(no_signature_is_no_token),
		cmocka_unit_test(a_public_key_is_no_hmac_secret),
		cmocka_unit_test(another_keys_signature_is_refused),
		cmocka_unit_test(every_character_counts),
		cmocka_unit_test(a_part_of_a_token_is_none),
		cmocka_unit_test(other_headers_are_not_tokens),
	};

	return cmocka_run_group_tests_name("auth", tests, set_up, tear_down);
}
