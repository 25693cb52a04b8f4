/*
 * span.h -- what a request did and when, for a collector of traces.
 *
 * Nothing here does anything unless traces are exported (otlp.h) and the request
 * is one that is sampled.  What is left when a span ends is text, in memory that
 * is bounded; it leaves for the exporter after the answer has, and is dropped, and
 * counted, where there is no room for it.  Nothing of it can fail a request.
 */
#ifndef SPAN_H
#define SPAN_H

#include "fn.h"

/* As OTLP has them. */
enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };

/* One that is open: those that begin meanwhile are its children, unless it is apart. */
struct span {
	uint64_t begun_us;
	char	 id[17], parent[17], link[64], trace[33];
	char	 outer_trace[33], outer_id[17];
	bool	 apart;
};

bool	 span_wanted(void);		/* are any exported at all? */
bool	 span_is_on(const struct req *);

/* The first one of a scheduled run is what it has a trace from. */
void	 span_begin(struct req *, struct span *);
/* The child of a span of another trace, and linked to where it is done; without a
 * traceparent like the other. */
void	 span_begin_in(struct req *, struct span *, const char *traceparent);
/* The same, and has no children here: several may be open at once. */
void	 span_begin_apart(struct req *, struct span *, const char *traceparent);
/* What somebody else is told to be the child of it; NULL when it is not recorded. */
const char *span_traceparent(struct req *, const struct span *);
/* Its name; NULL, or what went wrong with it; then keys and values, with a NULL
 * behind them.  A value of digits becomes a number, one that is NULL is left out. */
void	 span_end(struct req *, const struct span *, enum span_kind, const char *name,
	    const char *problem, ...) __attribute__((sentinel));
/* One that has no children, since begun_us. */
void	 span_note(struct req *, uint64_t begun_us, enum span_kind, const char *name,
	    const char *problem, ...) __attribute__((sentinel));

/* The request turns out to belong to that trace: all its spans do. */
void	 span_join(struct req *, const char *traceparent);

/* Once the answer has left: the request's own span, and all go to the exporter. */
void	 span_request(struct req *, uint64_t microseconds);

/* For the exporter: where the spans come in; for the others, where they go. */
enum { SPAN_ROOM = 60 << 10 };
struct span_message { unsigned count; char text[SPAN_ROOM]; };	/* "{...},{...}," */
void	 span_send_to(int fd);		/* negative: none are wanted any more */

#endif
