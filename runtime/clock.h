/*
 * clock.h -- the time as clients see it.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "fn.h"

/* Now, "2026-11-23T01:46:00.000Z". */
const char	*timestamp(struct req *);

#endif
