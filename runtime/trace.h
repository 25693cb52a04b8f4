/*
 * trace.h -- the request id and the trace context (W3C Trace Context).
 */
#ifndef TRACE_H
#define TRACE_H

#include "request.h"

void	 trace_begin(struct req *);
/* Random bytes in hexadecimal. */
void	 trace_make_id(char *out, size_t bytes);
/* The parts of a traceparent; false: it is none. */
bool	 trace_read(const char *traceparent, char trace[static 33], char parent[static 17],
	    bool *sampled);

#endif
