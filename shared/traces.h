/*
 * traces.h -- the trace that what is done for an order belongs to.
 */
#ifndef TRACES_H
#define TRACES_H

#include "saga.h"
#include "span.h"

#include <cjson/cJSON.h>

/* The traceparent of what began the saga; NULL where no traces are exported, and
 * where it is this request. */
const char	*trace_of_saga(struct req *, const struct saga *);

/* The request that an event of Stripe's comes with belongs to the trace of the order
 * that it is about. */
void		 trace_of_event(struct req *, const cJSON *event);

#endif
