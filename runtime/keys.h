/*
 * keys.h -- the public keys that access tokens are verified with.
 *
 * JWT_PUBLIC_KEYS_DIR holds one PEM file per key, named <kid>.pem.  They are
 * parsed once, before workers are forked.  Keys come and go by rename, which
 * changes the directory's time: that is asked for once a second, and at once
 * when a token names a kid that is not among them.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/types.h>

/* signature: r and s, 32 bytes each (RFC 7518 3.4). */
bool	 keys_verify(const char *kid, const char *signed_text, size_t n,
	    const unsigned char signature[64]);
/* Another number when the keys may be others than before. */
unsigned keys_generation(void);
/* Each key in turn, from 0; NULL after the last. */
EVP_PKEY *keys_at(size_t, const char **kid);

#endif
