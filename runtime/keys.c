#include "keys.h"
#include "fn.h"

#include <dirent.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

SETTING_TEXT(directory, "JWT_PUBLIC_KEYS_DIR", NULL,
    "Directory of the access tokens' public keys, <kid>.pem each");

enum { MAX_KEYS = 8, RESCAN_S = 1 };

static struct { char kid[128]; EVP_PKEY *key; } keys[MAX_KEYS];
static size_t key_count;
static time_t scanned_at;

/* Other curves have 256 bits too. */
static bool
is_p256(const EVP_PKEY *key)
{
	char group[32];
	size_t n;

	return key != NULL &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
	    strcmp(group, "prime256v1") == 0;
}

static void
read_key(const char *file)
{
	char path[4096];
	size_t n = strlen(file);
	EVP_PKEY *key;
	FILE *f;

	if (n < 5 || n - 4 >= sizeof(keys[0].kid) || strcmp(file + n - 4, ".pem") != 0 ||
	    key_count == MAX_KEYS)
		return;
	snprintf(path, sizeof(path), "%s/%s", directory.text, file);
	if ((f = fopen(path, "r")) == NULL)
		return;
	key = PEM_read_PUBKEY(f, NULL, NULL, NULL);
	fclose(f);
	if (!is_p256(key)) {
		log_line(LOG_WARN, "not a P-256 public key", "file", path, NULL);
		EVP_PKEY_free(key);
		return;
	}
	memcpy(keys[key_count].kid, file, n - 4);
	keys[key_count].kid[n - 4] = '\0';
	keys[key_count++].key = key;
}

static bool
scan(void)
{
	DIR *d = directory.text == NULL ? NULL : opendir(directory.text);
	const struct dirent *entry;

	if (d == NULL) {
		log_line(LOG_ERROR, "cannot read JWT_PUBLIC_KEYS_DIR", "directory",
		    directory.text == NULL ? "(not set)" : directory.text, NULL);
		return false;
	}
	while (key_count > 0)
		EVP_PKEY_free(keys[--key_count].key);
	while ((entry = readdir(d)) != NULL)
		read_key(entry->d_name);
	closedir(d);
	scanned_at = time(NULL);
	return true;
}

STARTUP(read_public_keys)
{
	if (!scan())
		return false;
	if (key_count == 0)
		log_line(LOG_WARN, "there is no public key to verify tokens with", NULL);
	return true;
}

static EVP_PKEY *
find(const char *kid)
{
	for (size_t i = 0; i < key_count; i++)
		if (strcmp(keys[i].kid, kid) == 0)
			return keys[i].key;
	return NULL;
}

/* OpenSSL wants the DER form of an ECDSA signature. */
static size_t
to_der(const unsigned char raw[64], unsigned char *der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
	int n = 0;

	if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		n = i2d_ECDSA_SIG(sig, &der);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return n < 0 ? 0 : (size_t)n;
}

bool
keys_verify(const char *kid, const char *signed_text, size_t n,
    const unsigned char signature[64])
{
	unsigned char der[80];
	size_t length = to_der(signature, der);
	EVP_PKEY *key = find(kid);
	EVP_MD_CTX *context;
	bool good;

	if (key == NULL && time(NULL) - scanned_at >= RESCAN_S && scan())
		key = find(kid);
	if (key == NULL || length == 0 || (context = EVP_MD_CTX_new()) == NULL)
		return false;
	good = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestVerify(context, der, length, (const unsigned char *)signed_text, n) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

EVP_PKEY *
keys_at(size_t i, const char **kid)
{
	if (i >= key_count)
		return NULL;
	*kid = keys[i].kid;
	return keys[i].key;
}
