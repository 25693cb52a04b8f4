/*
 * metrics.h -- counters that outlive processes.
 *
 * Every function keeps its counters in a mapped file of its own, shared by all
 * its processes and kept over restarts; /metrics adds the files up.  A process
 * may be killed at any instant: a file gets its name only when it is whole,
 * and after that only aligned 64-bit cells in it change.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>

#include "fn.h"

/* For metrics whose labels are known only at start; before metrics_open(). */
void	metrics_register(struct metric *);
/*
 * Gives the binary's metrics their cells, in $FN_STATE_DIR/<binary>.counters
 * or, where that is not set, in memory.  Call it after settings_read() and
 * before workers are forked.
 */
void	metrics_open(const char *binary);
const char *metrics_dir(void);	/* NULL: they are in memory only */

/*
 * All counter files of a directory in Prometheus' text format.  Functions
 * count as up while one of their processes lives; with a directory of their
 * sockets, exactly those that have one are reported.  Like snprintf() it
 * returns the length that the whole text has.
 */
size_t	metrics_text(char *buf, size_t size, const char *state_dir,
	    const char *sockets_dir);
/* A label's value with ", \ and newlines escaped. */
void	metrics_escape(char *out, size_t size, const char *value);

#endif
