/*
 * What makes two requests the same to an idempotency key.
 *
 * It lies in the database for a day, and a registration's body has a password
 * in it: with a secret that the database does not have, nobody who reads there
 * can try passwords against it.
 */
#include "request.h"

#include <openssl/evp.h>
#include <string.h>

SETTING_SECRET_OPTIONAL(fingerprint_secret, "FINGERPRINT_SECRET",
    "Keys the fingerprints of requests with an Idempotency-Key; one for all functions");

/* In front is enough: a fingerprint is compared, and never shown to anybody. */
static bool
add_secret(EVP_MD_CTX *context)
{
	const char *secret = fingerprint_secret.text;

	return secret == NULL || EVP_DigestUpdate(context, secret, strlen(secret) + 1) == 1;
}

const char *
digest_hex(struct req *rq, const unsigned char *digest)
{
	char *out = mem(rq, 2 * DIGEST_BYTES + 1);

	for (int i = 0; i < DIGEST_BYTES; i++) {
		out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	return out;
}

const char *
req_fingerprint(struct req *rq)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context;

	if (rq->fingerprint != NULL)
		return rq->fingerprint;
	context = EVP_MD_CTX_new();
	if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
	    !add_secret(context) ||
	    EVP_DigestUpdate(context, rq->method, strlen(rq->method)) != 1 ||
	    EVP_DigestUpdate(context, " ", 1) != 1 ||
	    EVP_DigestUpdate(context, rq->uri, strlen(rq->uri) + 1) != 1 ||
	    EVP_DigestUpdate(context, rq->in.body, rq->in.body_length) != 1 ||
	    EVP_DigestFinal_ex(context, digest, NULL) != 1)
		fail(rq, ERR_INTERNAL);
	EVP_MD_CTX_free(context);
	return rq->fingerprint = digest_hex(rq, digest);
}
