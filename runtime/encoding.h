/*
 * encoding.h -- what text may be made of, and how URLs and forms spell it.
 */
#ifndef ENCODING_H
#define ENCODING_H

#include "fn.h"

/* Percent-encoding undone (RFC 3986 2.1); NULL for a broken escape or a NUL. */
char	*url_decode(struct req *, const char *, size_t n, bool plus_is_space);
/* Length of the valid UTF-8 sequence at s (RFC 3629), 0 when it is not one. */
size_t	 utf8_length(const unsigned char *s, size_t n);
bool	 utf8_is_valid(const char *);

#endif
