#include "keys.h"
#include "fn.h"

#include <dirent.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

SETTING_TEXT(directory, "JWT_PUBLIC_KEYS_DIR", NULL,
    "Directory of the access tokens' public keys, <kid>.pem each");

enum {
	MAX_KEYS = 16,
	SETTLED_S = 2		/* longer than any file system's clock ticks */
};

static struct { char kid[128]; EVP_PKEY *key; } keys[MAX_KEYS];
static size_t key_count;
static unsigned generation;
static time_t looked_at;

/* The directory's time when it was last read.  Not settled: it was so young
 * then that a later change may have left it the same. */
static struct timespec read_time;
static bool settled;

/* RFC 5480: what stands before the point of a P-256 key, whose 65 bytes follow. */
static const unsigned char p256[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86,
	0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
	0x01, 0x07, 0x03, 0x42, 0x00 };
enum { POINT = 65 };

/* OpenSSL's own reader tries every format it knows, which takes longer than all
 * else that a function does to start. */
static EVP_PKEY *
make_key(unsigned char point[POINT])
{
	char curve[] = "P-256";
	OSSL_PARAM parts[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, POINT),
		OSSL_PARAM_construct_end() };
	EVP_PKEY_CTX *context;
	EVP_PKEY *key = NULL;

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parts) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

/* NULL for anything but a P-256 public key. */
static EVP_PKEY *
read_pem(FILE *f)
{
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	long n = 0;

	if (PEM_read(f, &name, &header, &der, &n) == 1 && strcmp(name, "PUBLIC KEY") == 0 &&
	    n == sizeof(p256) + POINT && memcmp(der, p256, sizeof(p256)) == 0)
		key = make_key(der + sizeof(p256));
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	return key;
}

static void
read_key(const char *file)
{
	char path[4096];
	size_t n = strlen(file);
	EVP_PKEY *key;
	FILE *f;

	if (n < 5 || n - 4 >= sizeof(keys[0].kid) || strcmp(file + n - 4, ".pem") != 0)
		return;
	if (key_count == MAX_KEYS) {
		log_line(LOG_WARN, "too many public keys; this one is left out", "file", file, NULL);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", directory.text, file);
	if ((f = fopen(path, "r")) == NULL)
		return;
	key = read_pem(f);
	fclose(f);
	if (key == NULL) {
		log_line(LOG_WARN, "not a P-256 public key", "file", path, NULL);
		return;
	}
	memcpy(keys[key_count].kid, file, n - 4);
	keys[key_count].kid[n - 4] = '\0';
	keys[key_count++].key = key;
}

/* Before the directory is read: what changes while it is, is seen next time. */
static void
note_time(int fd)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	if (fstat(fd, &st) != 0)
		return;
	read_time = st.st_mtim;
	settled = now.tv_sec - read_time.tv_sec >= SETTLED_S;
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
	note_time(dirfd(d));
	while (key_count > 0)
		EVP_PKEY_free(keys[--key_count].key);
	while ((entry = readdir(d)) != NULL)
		read_key(entry->d_name);
	closedir(d);
	generation++;
	return true;
}

/* Reads the directory again where it may have changed. */
static void
look(void)
{
	struct stat st;

	looked_at = time(NULL);
	if (directory.text == NULL || stat(directory.text, &st) != 0 || !settled ||
	    st.st_mtim.tv_sec != read_time.tv_sec || st.st_mtim.tv_nsec != read_time.tv_nsec)
		scan();
}

/* Once a second, and one that has been before is another, too: a clock that is put
 * back must not keep a key that is gone. */
unsigned
keys_generation(void)
{
	if (time(NULL) != looked_at)
		look();
	return generation;
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

	if (key == NULL) {
		look();
		key = find(kid);
	}
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
