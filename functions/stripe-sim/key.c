/*
 * Whose the API key of a request is: the account's secret one, or one that a
 * buyer's browser shows.
 */
#include "sim.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

SETTING_SECRET(secret_key, "SIM_SECRET_KEY", "The secret API key the simulator accepts");

/* The user name of Basic credentials. */
static const char *
basic_user(struct req *rq, const char *encoded)
{
	size_t n = strlen(encoded);
	unsigned char *plain = mem(rq, n / 4 * 3 + 4);

	if (n == 0 || n % 4 != 0 ||
	    EVP_DecodeBlock(plain, (const unsigned char *)encoded, (int)n) < 0)
		return "";
	plain[strcspn((char *)plain, ":")] = '\0';
	return (char *)plain;
}

static const char *
given_key(struct req *rq)
{
	const char *header = req_header(rq, "HTTP_AUTHORIZATION");

	if (header == NULL)
		return NULL;
	if (strncmp(header, "Bearer ", 7) == 0)
		return header + 7;
	return strncmp(header, "Basic ", 6) == 0 ? basic_user(rq, header + 6) : "";
}

enum sim_key
sim_key(struct req *rq, const char **given)
{
	const char *key = given_key(rq);
	size_t n = strlen(secret_key.text);

	*given = key;
	if (key == NULL || *key == '\0')
		return SIM_KEY_NONE;
	if (strncmp(key, "pk_test_", 8) == 0 && key[8] != '\0')
		return SIM_KEY_PUBLISHABLE;
	return strlen(key) == n && CRYPTO_memcmp(key, secret_key.text, n) == 0
	    ? SIM_KEY_SECRET : SIM_KEY_WRONG;
}
