/*
 * represent.h -- the form in which a cached answer goes out: its validators
 * (RFC 9110, 8.8), nothing where the client has it already, gzip where it
 * takes that.
 */
#ifndef REPRESENT_H
#define REPRESENT_H

#include "request.h"

/* Makes the 200 that is decided what this client gets. */
void		 represent(struct req *, const char *etag);

/*
 * gzip.c, linked only where there is much to say, which is where there is a
 * database.  NULL where it would not be smaller, or could not be made.
 */
const char	*gzip(struct req *, const char *body, size_t length, size_t *zipped);

#endif
