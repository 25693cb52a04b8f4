/*
 * base64url.h -- RFC 4648, section 5, without padding.
 */
#ifndef BASE64URL_H
#define BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

/* out holds at least n * 3 / 4 + 1 bytes. */
bool	 base64url_decode(const char *, size_t n, unsigned char *out, size_t *length);
/* out holds at least (n + 2) / 3 * 4 + 1 bytes. */
void	 base64url_encode(const unsigned char *, size_t n, char *out);

#endif
