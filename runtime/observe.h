/*
 * observe.h -- what is kept of a request: a log line and counts.
 */
#ifndef OBSERVE_H
#define OBSERVE_H

#include "request.h"

/* Makes the counters of every endpoint; before metrics_open(). */
void	 observe_open(void);
void	 observe(struct req *, uint64_t microseconds);

#endif
