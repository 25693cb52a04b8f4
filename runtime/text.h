/*
 * text.h -- numbers as text, and text that is written otherwise.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { NUMBER_ROOM = 21 };

/* At most NUMBER_ROOM decimal digits without a NUL; how many. */
size_t	put_number(char *to, int64_t n);

/* In place; what is no %XX stays as it is. */
void	percent_decode(char *s);

#endif
