/*
 * disk_cache.h -- files that may vanish at any time, in a directory of bounded
 * size.
 */
#ifndef DISK_CACHE_H
#define DISK_CACHE_H

#include <stdbool.h>
#include <stddef.h>

/* All of it or nothing: false when the disk is full, say.  Every copy of a
 * file bears the same time, so that lighttpd tells clients the same ETag. */
bool	 disk_cache_put(const char *directory, const char *name, const char *bytes, size_t);
/* Whether it is there; then it has been read just now. */
bool	 disk_cache_has(const char *directory, const char *name, size_t *length);
/* Whether it may have grown past most bytes since it was last trimmed. */
bool	 disk_cache_is_due(size_t most);
/* Lets go what has not been read for longest. */
void	 disk_cache_trim(const char *directory, size_t most);

#endif
