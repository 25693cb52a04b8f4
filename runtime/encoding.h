/*
 * encoding.h -- what text may be made of, and how URLs and forms spell it.
 */
#ifndef ENCODING_H
#define ENCODING_H

#include "fn.h"

/* Percent-encoding undone (RFC 3986 2.1); NULL for a broken escape or a NUL. */
char	*url_decode(struct req *, const char *, size_t n, bool plus_is_space);
/* The same in place, of a setting: what is no escape stays as it is. */
void	 percent_decode(char *s);
/* Length of the valid UTF-8 sequence at s (RFC 3629), 0 when it is not one. */
size_t	 utf8_length(const unsigned char *s, size_t n);
bool	 utf8_is_valid(const char *);
/* How much of s, in whole characters, is in its first `most` bytes; the text
 * ends where it is not valid, too. */
size_t	 utf8_prefix(const char *, size_t most);
/* How much of s, in whole characters of at most `most` bytes, a JSON string
 * takes as it is. */
size_t	 json_plain(const char *, size_t most);

#endif
