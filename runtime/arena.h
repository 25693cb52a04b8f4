/*
 * arena.h -- the memory of one request.
 *
 * Everything a request allocates is let go at once when it ends.  A request
 * that wants more than ARENA_LIMIT ends its process: the supervisor starts
 * another, and so nobody has to handle a failed allocation.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

enum { ARENA_LIMIT = 16 << 20 };

struct arena_block;
struct arena { struct arena_block *blocks, *large; size_t used, total; };

void	*arena_alloc(struct arena *, size_t);	/* zeroed, never NULL */
char	*arena_copy(struct arena *, const char *, size_t);	/* and a NUL */
void	 arena_reset(struct arena *);		/* keeps the first block */

/* What was allocated since the mark goes; marks are released last first. */
struct arena_mark { struct arena_block *blocks, *large; size_t used, total; };
struct arena_mark arena_mark(const struct arena *);
void	 arena_release(struct arena *, const struct arena_mark *);

#endif
