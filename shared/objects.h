/*
 * objects.h -- the object store: bytes under keys, written once.
 *
 * Postgres, in whose database they then are; or, where S3_ENDPOINT is set, a
 * store that speaks S3.  What was stored in Postgres before is still found.
 *
 * Whoever puts has written the keys down before, in a transaction that is
 * committed (media.picture): nothing lists what is in a store.
 */
#ifndef OBJECTS_H
#define OBJECTS_H

#include "fn.h"

struct object {
	const char	*key;		/* of a-z, 0-9, - and . */
	const char	*type;		/* "image/jpeg" */
	const char	*bytes;
	size_t		 length;
};

/* Each answers false after refusing the request when the store is away. */
bool	 objects_put(struct req *, const struct object *, size_t count);
bool	 objects_delete(struct req *, const char *key);	/* one that is not there, too */
/* False, with nothing refused, when there is no such object. */
bool	 objects_get(struct req *, struct object *);	/* its key is given */

#endif
