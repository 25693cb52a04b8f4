#include "opaque.h"
#include "base64url.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

const char *
token_random(struct req *rq)
{
	unsigned char bytes[32];
	char *out = mem(rq, 48);

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		fail(rq, ERR_INTERNAL);
	base64url_encode(bytes, sizeof(bytes), out);
	return out;
}

const char *
token_stored(struct req *rq, const char *token)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char *out = mem(rq, 2 + 2 * sizeof(digest) + 1), *at = out;

	SHA256((const unsigned char *)token, strlen(token), digest);
	at += sprintf(at, "\\x");
	for (size_t i = 0; i < sizeof(digest); i++)
		at += sprintf(at, "%02x", digest[i]);
	return out;
}
