/*
 * multipart.h -- multipart/form-data (RFC 7578, RFC 2046 5.1) in memory.
 *
 * Strict: what two readers could take for two different forms is refused.
 * Nothing is copied but the names, and of those none is to be trusted.
 */
#ifndef MULTIPART_H
#define MULTIPART_H

#include "request.h"

enum {
	MAX_PARTS = 32,
	MAX_PART_HEADERS = 4096,	/* bytes of one part's */
	MAX_PART_NAME = 255,		/* bytes */
	MAX_BOUNDARY = 70		/* bytes; RFC 2046 5.1.1 */
};

struct part {
	const char	*name;		/* visible UTF-8 */
	const char	*file_name;	/* NULL: not a file */
	const char	*bytes;		/* in the body, without a NUL */
	size_t		 length;
};

/* False with *problem saying what is wrong. */
bool	 multipart_parse(struct req *, const char *content_type, const char *body,
	    size_t n, struct part parts[MAX_PARTS], size_t *count, const char **problem);

#endif
