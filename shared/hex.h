/*
 * hex.h -- bytes as hexadecimal digits.
 */
#ifndef HEX_H
#define HEX_H

#include <stddef.h>

/* Two lower-case digits a byte, without a NUL; where the next one goes. */
char	*put_hex(char *to, const void *bytes, size_t n);

#endif
