/*
 * kept.h -- answers that this worker has given before.
 *
 * They are never given again without asking Redis whether their tag still has
 * the version they were made under; what is saved is carrying the same bytes
 * from Redis each time.
 */
#ifndef KEPT_H
#define KEPT_H

#include "request.h"

struct kept {
	const struct entry *entry;
	char *inputs, *tag, *etag, *body;
	size_t length;
	char *zipped;			/* made when first asked for */
	size_t zipped_length;
	uint64_t expires_us;
};

/* The answer to the same inputs, made under whatever tag version; or NULL. */
const struct kept *kept_find(struct req *);
/* Keeps an answer, unless it is large, for the endpoint's cache seconds. */
void	 kept_add(struct req *, const char *tag, const char *etag,
	    const char *body, size_t length);
/* The reply's body, kept under that etag, compressed once; NULL where it is not
 * kept or would not be smaller. */
const char *kept_gzip(struct req *, const char *etag, size_t *length);

#endif
