/*
 * lease.h -- what drivers of sagas and runners of jobs share.
 */
#ifndef LEASE_H
#define LEASE_H

#include "fn.h"

/* Names this process in what it holds. */
const char	*lease_owner(struct req *);
/* How long to wait after so many attempts: exponential from first_ms, with
 * full jitter, so that a crowd that failed together spreads out. */
int64_t		 lease_backoff_ms(int64_t attempt, int64_t first_ms, int64_t most_ms);

#endif
