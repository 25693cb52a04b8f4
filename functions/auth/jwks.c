/*
 * GET /.well-known/jwks.json
 *
 * The public keys that access tokens are signed with, current and previous
 * (RFC 7517, RFC 7518 6.2), for services that verify tokens by themselves.
 */
#include "fn.h"

#include "base64url.h"
#include "json.h"
#include "keys.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

static const struct shape key_shape = {
	.name = "JsonWebKey",
	.doc = "A public key (RFC 7517)",
	.fields = FIELDS(
		OUT(kty, STR, "Its family", .example = "\"EC\""),
		OUT(crv, STR, "Its curve", .example = "\"P-256\""),
		OUT(use, STR, "What for: signatures", .example = "\"sig\""),
		OUT(alg, STR, "Of which kind", .example = "\"ES256\""),
		OUT(kid, STR, "Its name in tokens", .example = "\"2026-11-23\""),
		OUT(x,   STR, "The point's x, in base64url",
		    .example = "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""),
		OUT(y,   STR, "The point's y, in base64url",
		    .example = "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"")),
};

ENDPOINT(jwks) = {
	.method  = HTTP_GET,
	.path    = "/.well-known/jwks.json",
	.summary = "The public keys of access tokens",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.output  = FIELDS(
		OUT_OBJECT(keys, key_shape, "Those in use, and the one before", .many = true)),
};

static void
write_coordinate(struct json *j, const char *name, const unsigned char *bytes)
{
	char text[48];

	base64url_encode(bytes, 32, text);
	json_member(j, name, text);
}

static void
write_key(struct json *j, EVP_PKEY *key, const char *kid)
{
	unsigned char point[65];	/* 4, x, y: SEC 1, 2.3.3 */
	size_t n = 0;

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
	    sizeof(point), &n) != 1 || n != sizeof(point))
		return;
	json_open(j, '{');
	json_member(j, "kty", "EC");
	json_member(j, "crv", "P-256");
	json_member(j, "use", "sig");
	json_member(j, "alg", "ES256");
	json_member(j, "kid", kid);
	write_coordinate(j, "x", point + 1);
	write_coordinate(j, "y", point + 33);
	json_close(j);
}

static struct status
jwks(struct req *rq)
{
	struct json *j = json_new(rq);
	const char *kid;
	EVP_PKEY *key;

	keys_generation();	/* those there now */
	json_open(j, '{');
	json_key(j, "keys");
	json_open(j, '[');
	for (size_t i = 0; (key = keys_at(i, &kid)) != NULL; i++)
		write_key(j, key, kid);
	reply_header(rq, "Cache-Control", "public, max-age=300");
	return reply_json(rq, 200, json_text(j));
}
