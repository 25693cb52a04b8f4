/*
 * text.h -- numbers as text.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { NUMBER_ROOM = 21 };

/* At most NUMBER_ROOM decimal digits without a NUL; how many. */
size_t	put_number(char *to, int64_t n);

#endif
