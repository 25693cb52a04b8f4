/*
 * etag.h -- entity tags: which version of an answer a client has (RFC 9110,
 * 8.8.3).
 */
#ifndef ETAG_H
#define ETAG_H

#include "fn.h"

/* The strong tag of these bytes, in its quotes. */
const char	*etag_of(struct req *, const char *body, size_t length);
/* The compressed form of "x" is "x-gzip": whether it is the tag, or that. */
bool		 etag_is(const char *given, size_t length, const char *etag);
#define ETAG_CODED	"-gzip"
/* Does If-Match name it, or its compressed form?  Weak tags never do. */
bool		 etag_match(const char *list, const char *etag);

#endif
