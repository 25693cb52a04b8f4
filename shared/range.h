/*
 * range.h -- answers in parts (RFC 9110, 13 and 14).
 */
#ifndef RANGE_H
#define RANGE_H

#include "fn.h"

enum range {
	RANGE_ALL,		/* none asked for, or in a way that may be ignored */
	RANGE_PART,
	RANGE_NOWHERE		/* nothing of it is there: 416 */
};

/* header is that of Range, or NULL.  One range of bytes is understood; who
 * asks for several gets everything. */
enum range	 range_of(const char *header, size_t length, size_t *from, size_t *count);
#define FOR_EVER	"public, max-age=31536000, immutable"

/* Of what never changes: 200, or 206 with what the request wants of it, or 304 when it has it. */
struct status	 range_reply(struct req *, const char *etag, const char *type,
		    const char *bytes, size_t length);
struct status	 range_refuse(struct req *, size_t length);	/* 416 */

#endif
