/*
 * signing.h -- real keys in a directory of their own, tokens signed with
 * them, and a clock that the test sets.
 */
#ifndef SIGNING_H
#define SIGNING_H

#include "access.h"
#include "base64url.h"
#include "settings.h"

#include "fixture.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <time.h>

#define SESSION	"0195f1c6-0000-4000-8000-000000000001"
#define HEADER	"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"first\"}"
#define CLAIMS(members)							\
	"{\"iss\":\"souk\",\"aud\":\"souk\",\"sub\":\"7\",\"role\":\"seller\"," \
	"\"sid\":\"" SESSION "\",\"exp\":2000000900" members "}"

static char directory[64], private_file[128];
static EVP_PKEY *first, *stranger;

/* The time, for the runtime in this program only. */
static time_t clock_now = 2000000000;

time_t
time(time_t *to)
{
	if (to != NULL)
		*to = clock_now;
	return clock_now;
}

static inline void
write_public(EVP_PKEY *key, const char *kid)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.pem", directory, kid);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_PUBKEY(f, key), 1);
	fclose(f);
}

static inline void
remove_public(const char *kid)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s.pem", directory, kid);
	assert_int_equal(unlink(path), 0);
}

static inline char *
append(char *at, const void *bytes, size_t n)
{
	base64url_encode(bytes, n, at);
	return at + strlen(at);
}

/* An ES256 signature: r and s, 32 bytes each. */
static inline void
sign(EVP_PKEY *key, const char *text, unsigned char out[64])
{
	unsigned char der[128];
	const unsigned char *at = der;
	size_t n = sizeof(der);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ECDSA_SIG *pair;

	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, der, &n, (const unsigned char *)text,
	    strlen(text)), 1);
	EVP_MD_CTX_free(context);
	pair = d2i_ECDSA_SIG(NULL, &at, (long)n);
	assert_non_null(pair);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32), 32);
	ECDSA_SIG_free(pair);
}

/* "Bearer " and the token's first two parts. */
static inline char *
begin_token(const char *header, const char *claims)
{
	static char token[4096];
	char *at = stpcpy(token, "Bearer ");

	at = stpcpy(append(at, header, strlen(header)), ".");
	append(at, claims, strlen(claims));
	return token;
}

static inline char *
make_token(const char *header, const char *claims, EVP_PKEY *key)
{
	char *token = begin_token(header, claims);
	unsigned char signature[64];

	sign(key, token + strlen("Bearer "), signature);
	append(stpcpy(token + strlen(token), "."), signature, sizeof(signature));
	return token;
}

/* Whether the Authorization header says who is asking. */
static inline bool
identifies(const char *authorization)
{
	BEGIN(.method = "GET", .uri = "/");
	it.authorization = authorization;
	auth_read_token(&it);
	assert_true((it.user == NULL) == (it.role == NULL));
	assert_true((it.user == NULL) == (it.session == NULL));
	return it.user != NULL;
}

static inline int
set_up(void **state)
{
	FILE *f;

	(void)state;
	strcpy(directory, "/tmp/keys.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	first = EVP_EC_gen("P-256");
	stranger = EVP_EC_gen("P-256");
	write_public(first, "first");
	snprintf(private_file, sizeof(private_file), "%s/first.key", directory);
	f = fopen(private_file, "w");
	PEM_write_PrivateKey(f, first, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	setenv("JWT_PUBLIC_KEYS_DIR", directory, 1);
	setenv("JWT_PRIVATE_KEY_FILE", private_file, 1);
	setenv("REFRESH_TOKEN_SECRET", "s", 1);
	setenv("DATABASE_URL", "postgres:///nowhere", 1);
	return settings_read() && run_startups() ? 0 : -1;
}

static inline int
tear_down(void **state)
{
	remove_public("first");
	unlink(private_file);
	EVP_PKEY_free(first);
	EVP_PKEY_free(stranger);
	return rmdir(directory) + finish(state);
}

#endif
