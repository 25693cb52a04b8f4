/*
 * Bearer tokens.
 *
 * The first line is a token's header, the second its claims, both JSON, signed
 * here; a third line is put in place of the signature, and of "Bearer " too
 * where it begins with one: then it is the whole Authorization header.  Nobody
 * is signed in but by what was signed here, and as whom the claims say.
 */
#include "fuzz.h"

#include "access.h"
#include "base64url.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <time.h>
#include <unistd.h>

enum { NOW = 2000000000 };

static EVP_PKEY *key;

/* The clock of the runtime in this program. */
time_t
time(time_t *to)
{
	if (to != NULL)
		*to = NOW;
	return NOW;
}

ENDPOINT(who) = {
	.method = HTTP_GET, .path = "/who", .access = ACCESS_USER, .rate = RATE_NONE,
};

static struct status
who(struct req *rq)
{
	return reply_json(rq, 200, req_user(rq) == NULL ? "{}" : "{\"user\":true}");
}

/* The key whose secret is 7: every run has the same. */
static EVP_PKEY *
make_key(void)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = EC_POINT_new(group);
	BIGNUM *secret = BN_new();
	unsigned char public[65];
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *parts;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *made = NULL;

	BN_set_word(secret, 7);
	MUST(EC_POINT_mul(group, point, secret, NULL, NULL, NULL) == 1);
	MUST(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public,
	    sizeof(public), NULL) == sizeof(public));
	OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret);
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, public, sizeof(public));
	parts = OSSL_PARAM_BLD_to_param(build);
	MUST(EVP_PKEY_fromdata_init(context) == 1);
	MUST(EVP_PKEY_fromdata(context, &made, EVP_PKEY_KEYPAIR, parts) == 1);
	OSSL_PARAM_free(parts);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	BN_free(secret);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	return made;
}

static void
sign(const char *text, unsigned char out[64])
{
	unsigned char der[128];
	const unsigned char *at = der;
	size_t n = sizeof(der);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ECDSA_SIG *pair;

	MUST(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1);
	MUST(EVP_DigestSign(context, der, &n, (const unsigned char *)text, strlen(text)) == 1);
	EVP_MD_CTX_free(context);
	pair = d2i_ECDSA_SIG(NULL, &at, (long)n);
	MUST(BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32) == 32);
	MUST(BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32) == 32);
	ECDSA_SIG_free(pair);
}

static const char *
encode(const char *bytes, size_t n)
{
	char *out = mem(&it, (n + 2) / 3 * 4 + 1);

	base64url_encode((const unsigned char *)bytes, n, out);
	return out;
}

static const char *
claim(const cJSON *claims, const char *name)
{
	const cJSON *c = cJSON_GetObjectItemCaseSensitive(claims, name);

	MUST(cJSON_IsString(c));
	return c->valuestring;
}

static void
is_who_the_claims_say(struct rest header, struct rest claims)
{
	const char *problem;
	const cJSON *h = body_parse(&it, header.at, header.n, &problem);
	const cJSON *c = body_parse(&it, claims.at, claims.n, &problem);

	MUST(strcmp(claim(h, "alg"), "ES256") == 0 && strcmp(claim(h, "kid"), "key") == 0);
	MUST(strcmp(claim(c, "iss"), "souk") == 0 && strcmp(claim(c, "aud"), "souk") == 0);
	MUST(strcmp(claim(c, "sub"), it.user) == 0 && is_number(it.user, 0, INT64_MAX));
	MUST(strcmp(claim(c, "sid"), it.session) == 0 && strlen(it.session) == 36);
	MUST(strcmp(claim(c, "role"), it.role) == 0);
	MUST(one_of(it.role, "customer", "seller", "admin"));
	MUST(cJSON_GetObjectItemCaseSensitive(c, "exp")->valuedouble > NOW);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rest rest = { (const char *)data, n };
	struct rest header = cut_line(&rest), claims = cut_line(&rest);
	const char *text, *instead;
	unsigned char signature[64];

	BEGIN(.body = "");
	instead = text_of(rest);
	text = fmt(&it, "%s.%s", encode(header.at, header.n), encode(claims.at, claims.n));
	sign(text, signature);
	if (strncmp(instead, "Bearer ", 7) == 0)
		it.authorization = instead;
	else
		it.authorization = fmt(&it, "Bearer %s.%s", text,
		    *instead != '\0' ? instead : encode((const char *)signature, 64));
	auth_read_token(&it);
	MUST((it.user == NULL) == (it.role == NULL) && (it.user == NULL) == (it.session == NULL));
	if (it.user != NULL) {
		MUST(*instead == '\0');
		is_who_the_claims_say(header, claims);
	}
	return 0;
}

static void
set_up(void)
{
	static char directory[] = "/tmp/fuzz-keys.XXXXXX";
	char path[64];
	FILE *f;

	key = make_key();
	MUST(mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/key.pem", directory);
	MUST((f = fopen(path, "w")) != NULL);
	MUST(PEM_write_PUBKEY(f, key) == 1);
	fclose(f);
	setenv("JWT_PUBLIC_KEYS_DIR", directory, 1);
	setenv("DATABASE_URL", "postgres:///nowhere", 1);
	start_up();
	unlink(path);
	rmdir(directory);
}
