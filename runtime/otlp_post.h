/*
 * otlp_post.h -- one batch to the collector, over a connection that is kept.
 */
#ifndef OTLP_POST_H
#define OTLP_POST_H

#include "otlp_settings.h"

#include <sys/uio.h>

enum { OTLP_ANSWER = 16 << 10 };

/* Posts what the parts are together, and waits for the answer, of which it keeps
 * as much as there is room for.  The status, and the answer has a whole head; or 0:
 * none came back, and *problem says why.  hurry: a second must do, and on a connection of its own. */
int	 otlp_post(const struct otlp_collector *, const struct iovec *parts, size_t n,
	    bool hurry, char answer[static OTLP_ANSWER + 1], const char **problem);

/* The value of a header of the answer, or NULL: "Name:". */
const char *otlp_header(const char *answer, const char *name);

#endif
