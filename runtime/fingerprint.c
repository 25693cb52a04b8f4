/*
 * What makes two requests the same to an idempotency key.
 */
#include "request.h"

#include <openssl/evp.h>
#include <string.h>

const char *
req_fingerprint(struct req *rq)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context;
	char *out;

	if (rq->fingerprint != NULL)
		return rq->fingerprint;
	context = EVP_MD_CTX_new();
	if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(context, rq->method, strlen(rq->method)) != 1 ||
	    EVP_DigestUpdate(context, " ", 1) != 1 ||
	    EVP_DigestUpdate(context, rq->uri, strlen(rq->uri) + 1) != 1 ||
	    EVP_DigestUpdate(context, rq->in.body, rq->in.body_length) != 1 ||
	    EVP_DigestFinal_ex(context, digest, NULL) != 1)
		fail(rq, ERR_INTERNAL);
	EVP_MD_CTX_free(context);
	out = mem(rq, 65);
	for (int i = 0; i < 32; i++) {
		out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	return rq->fingerprint = out;
}
