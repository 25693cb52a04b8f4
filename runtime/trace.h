/*
 * trace.h -- the request id and the trace context (W3C Trace Context).
 */
#ifndef TRACE_H
#define TRACE_H

#include "request.h"

void	 trace_begin(struct req *);

#endif
