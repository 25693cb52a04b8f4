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

bool
password_matches(const char *password, const char *hash, int cost)
{
	char made[64], nobody[64];
	unsigned difference = 0;

	if (hash == NULL) {
		password_hash(password, cost, nobody);
		return false;
	}
	if (!crypt_into(password, hash, made) || strlen(made) != strlen(hash))
		return false;
	for (size_t i = 0; made[i] != '\0'; i++)
		difference |= (unsigned)(made[i] ^ hash[i]);
	return difference == 0;
}

int
password_cost(const char *hash)
{
	return strncmp(hash, "$2", 2) == 0 && strlen(hash) > 6 ? atoi(hash + 4) : 0;
}
