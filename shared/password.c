#include "password.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

/* crypt_data is 32 kB: too much for the stack, so on the heap and wiped. */
static bool
crypt_into(const char *password, const char *setting, char out[64])
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *hash = data == NULL ? NULL : crypt_r(password, setting, data);
	bool good = hash != NULL && hash[0] == '$' && strlen(hash) < 64;

	if (good)
		strcpy(out, hash);
	if (data != NULL) {
		explicit_bzero(data, sizeof(*data));
		free(data);
	}
	return good;
}

bool
password_hash(const char *password, int cost, char out[64])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	return crypt_gensalt_rn("$2b$", (unsigned long)cost, NULL, 0, setting,
	    (int)sizeof(setting)) != NULL && crypt_into(password, setting, out);
}

static bool
equals(const char *password, const char *hash)
{
	char made[64];
	unsigned difference = 0;

	if (!crypt_into(password, hash, made) || strlen(made) != strlen(hash))
		return false;
	for (size_t i = 0; made[i] != '\0'; i++)
		difference |= (unsigned)(made[i] ^ hash[i]);
	return difference == 0;
}

bool
password_matches(const char *password, const char *hash, int cost)
{
	int made_at = hash == NULL ? 0 : password_cost(hash);
	char nobody[64];

	if (made_at == 0) {
		password_hash(password, cost, nobody);
		return false;
	}
	if (equals(password, hash))
		return true;
	/* What is missing where the cost was less when the hash was made:
	 * 2^n + ... + 2^(cost - 1) is 2^cost - 2^n. */
	for (; made_at < cost; made_at++)
		password_hash(password, made_at, nobody);
	return false;
}

int
password_cost(const char *hash)
{
	return strncmp(hash, "$2", 2) == 0 && strlen(hash) > 6 ? atoi(hash + 4) : 0;
}
