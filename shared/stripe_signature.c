/*
 * Webhook signatures: "t=<unix>,v1=<hex>[,v1=<hex>...]".  v1 is the HMAC-SHA256
 * of "<t>.<body>" under the endpoint's whole secret; anything but v1 is
 * ignored.  Apart from stripe.c: whoever verifies need not be able to call.
 */
#include "stripe.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum { TOLERANCE_S = 300, DIGEST = 32, MAX_SIGNATURES = 128 };	/* more than a header holds */

struct signature {
	const char *time;
	size_t time_length;
	unsigned char v1[MAX_SIGNATURES][DIGEST];
	size_t count;
};

static bool
read_hex(const char *s, size_t n, unsigned char out[DIGEST])
{
	for (size_t i = 0; i < 2 * DIGEST; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *at = n == 2 * DIGEST && s[i] != '\0' ? strchr(digits, s[i]) : NULL;

		if (at == NULL)
			return false;
		out[i / 2] = (unsigned char)(out[i / 2] << 4 | (at - digits));
	}
	return true;
}

static bool
read_header(const char *h, struct signature *s)
{
	unsigned times = 0;

	while (*h != '\0') {
		size_t n = strcspn(h, ",");

		if (n > 2 && strncmp(h, "t=", 2) == 0) {
			s->time = h + 2;
			s->time_length = n - 2;
			times++;
		} else if (n > 3 && strncmp(h, "v1=", 3) == 0 && s->count < MAX_SIGNATURES &&
		    read_hex(h + 3, n - 3, s->v1[s->count])) {
			s->count++;
		}
		h += n + (h[n] == ',');
	}
	return times == 1 && s->time_length <= 12 &&
	    strspn(s->time, "0123456789") >= s->time_length;
}

static bool
sign(const struct signature *s, const char *secret, size_t secret_length,
    const char *body, size_t n, unsigned char out[EVP_MAX_MD_SIZE])
{
	size_t length = s->time_length + 1 + n;
	unsigned char *message = malloc(length);
	unsigned made = 0;

	if (message == NULL)
		return false;
	memcpy(message, s->time, s->time_length);
	message[s->time_length] = '.';
	memcpy(message + s->time_length + 1, body, n);
	HMAC(EVP_sha256(), secret, (int)secret_length, message, length, out, &made);
	free(message);
	return made == DIGEST;
}

bool
stripe_signature_is_good(const char *header, const char *body, size_t n,
    const char *secrets, int64_t now)
{
	struct signature s = { .time = NULL };
	unsigned char mine[EVP_MAX_MD_SIZE];
	bool good = false;
	int64_t age;

	if (header == NULL || !read_header(header, &s))
		return false;
	age = now - strtoll(s.time, NULL, 10);
	if (age > TOLERANCE_S || age < -TOLERANCE_S)
		return false;
	while (*secrets != '\0') {
		size_t length = strcspn(secrets, ",");

		if (length > 0 && sign(&s, secrets, length, body, n, mine))
			for (size_t i = 0; i < s.count; i++)
				good |= CRYPTO_memcmp(mine, s.v1[i], DIGEST) == 0;
		secrets += length + (secrets[length] == ',');
	}
	return good;
}
