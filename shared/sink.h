/*
 * sink.h -- where events go: CloudEvents 1.0 in binary mode, posted to K_SINK.
 *
 * K_SINK, K_CE_OVERRIDES and K_CA_CERTS are what a Knative SinkBinding gives to
 * its subject.
 */
#ifndef SINK_H
#define SINK_H

#include "fn.h"

enum { SINK_AT_ONCE = 16 };

enum sink_outcome {
	SINK_TAKEN,
	SINK_AGAIN,		/* it may take this later */
	SINK_REFUSED		/* it never will */
};

struct sink_event {
	const char *id, *sequence, *type, *subject, *time, *data;	/* data is JSON */
	const char *trace;		/* the traceparent of what it tells of, or NULL */
	enum sink_outcome outcome;	/* of sink_post() */
	const char *problem;		/* one line for an operator */
};

const char	*sink_url(void);	/* NULL: there is none */
/* Posts up to SINK_AT_ONCE events at the same time, and tells what became of
 * each.  None takes longer than SINK_SECONDS. */
enum { SINK_SECONDS = 10 };
void		 sink_post(struct req *, struct sink_event *, size_t n);
/* An attribute as a header has it: HTTP binding 3.1.3.2. */
const char	*sink_header(struct req *, const char *);

#endif
