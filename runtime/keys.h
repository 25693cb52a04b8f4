/*
 * keys.h -- the public keys that access tokens are verified with.
 *
 * JWT_PUBLIC_KEYS_DIR holds one PEM file per key, named <kid>.pem.  They are
 * parsed once, before workers are forked, and looked at again when a token
 * names a kid that is not among them: that is how a rotation arrives.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/types.h>

/* signature: r and s, 32 bytes each (RFC 7518 3.4). */
bool	 keys_verify(const char *kid, const char *signed_text, size_t n,
	    const unsigned char signature[64]);
/* Each key in turn, from 0; NULL after the last. */
EVP_PKEY *keys_at(size_t, const char **kid);

#endif
