#include "token.h"
#include "base64url.h"
#include "hex.h"
#include "json.h"

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

SETTING_TEXT(key_file, "JWT_PRIVATE_KEY_FILE", NULL,
    "The P-256 private key (PEM) that signs access tokens, named <kid>.pem; by another"
    " name its kid is what the first 16 hex digits of its public half's SHA-256 (DER) are");
SETTING_TEXT(issuer, "JWT_ISSUER", "souk", "The iss of access tokens");
SETTING_TEXT(audience, "JWT_AUDIENCE", "souk", "The aud of access tokens");
SETTING_INT(access_seconds, "ACCESS_TOKEN_TTL_S", 900, 10, 86400,
    "Seconds an access token lives");
SETTING_SECRET(refresh_secret, "REFRESH_TOKEN_SECRET",
    "Derives each refresh token from the one before it");

enum { MAX_KEY = 4096, KID_BYTES = 8 };

static unsigned char private_key[MAX_KEY];
static size_t private_key_length;
static char kid[128];

/* As deploy/ names keys: for one whose file is not called after it. */
static bool
kid_by_key(void)
{
	BIO *bio = BIO_new_mem_buf(private_key, (int)private_key_length);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	int n = key == NULL ? -1 : i2d_PUBKEY(key, &der);
	bool good = n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1;

	if (good)
		*put_hex(kid, digest, KID_BYTES) = '\0';
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return good;
}

STARTUP(read_private_key)
{
	const char *path = key_file.text, *name;
	FILE *f = path == NULL ? NULL : fopen(path, "r");

	if (f == NULL) {
		log_line(LOG_ERROR, "cannot read JWT_PRIVATE_KEY_FILE", "file",
		    path == NULL ? "(not set)" : path, NULL);
		return false;
	}
	private_key_length = fread(private_key, 1, MAX_KEY - 1, f);
	fclose(f);
	name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
	if (strchr(name, '.') == NULL && !kid_by_key()) {
		log_line(LOG_ERROR, "JWT_PRIVATE_KEY_FILE is no private key", "file", path, NULL);
		return false;
	}
	if (strchr(name, '.') != NULL)
		snprintf(kid, sizeof(kid), "%.*s", (int)strcspn(name, "."), name);
	return true;
}

/* RFC 9562, version 4. */
static const char *
random_uuid(struct req *rq)
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		fail(rq, ERR_INTERNAL);
	b[6] = (unsigned char)(0x40 | (b[6] & 0x0f));
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	return fmt(rq, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
	    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
	    b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static bool
add_claims(struct req *rq, jwt_t *jwt, const char *user, const char *email,
    const char *role, const char *session)
{
	long now = (long)time(NULL);

	return jwt_add_header(jwt, "kid", kid) == 0 &&
	    jwt_add_grant(jwt, "iss", issuer.text) == 0 &&
	    jwt_add_grant(jwt, "aud", audience.text) == 0 &&
	    jwt_add_grant(jwt, "sub", user) == 0 &&
	    jwt_add_grant_int(jwt, "userId", strtol(user, NULL, 10)) == 0 &&
	    jwt_add_grant(jwt, "email", email) == 0 &&
	    jwt_add_grant(jwt, "role", role) == 0 &&
	    jwt_add_grant(jwt, "sid", session) == 0 &&
	    jwt_add_grant(jwt, "jti", random_uuid(rq)) == 0 &&
	    jwt_add_grant_int(jwt, "iat", now) == 0 &&
	    jwt_add_grant_int(jwt, "exp", now + (long)access_seconds.number) == 0 &&
	    jwt_set_alg(jwt, JWT_ALG_ES256, private_key, (int)private_key_length) == 0;
}

const char *
token_access(struct req *rq, const char *user, const char *email,
    const char *role, const char *session)
{
	const char *token = NULL;
	char *encoded;
	jwt_t *jwt;

	if (req_failed(rq) || jwt_new(&jwt) != 0)
		return NULL;
	if (add_claims(rq, jwt, user, email, role, session) &&
	    (encoded = jwt_encode_str(jwt)) != NULL) {
		token = fmt(rq, "%s", encoded);
		free(encoded);
	} else {
		log_line(LOG_ERROR, "cannot sign an access token", "file", key_file.text, NULL);
		fail(rq, ERR_INTERNAL);
	}
	jwt_free(jwt);
	return token;
}

int
token_access_seconds(void)
{
	return (int)access_seconds.number;
}

static const char *
base64url(struct req *rq, const unsigned char *bytes, size_t n)
{
	char *out = mem(rq, n * 2 + 4);

	base64url_encode(bytes, n, out);
	return out;
}

const char *
token_successor(struct req *rq, const char *token)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (HMAC(EVP_sha256(), refresh_secret.text, (int)strlen(refresh_secret.text),
	    (const unsigned char *)token, strlen(token), mac, &n) == NULL)
		fail(rq, ERR_INTERNAL);
	return base64url(rq, mac, n);
}

void
token_members(struct json *j, const char *access, const char *refresh)
{
	json_member(j, "accessToken", access);
	json_member(j, "refreshToken", refresh);
	json_member(j, "tokenType", "Bearer");
	json_key(j, "expiresIn");
	json_int(j, access_seconds.number);
}
