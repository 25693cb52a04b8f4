/*
 * cloudevent.h -- a CloudEvent 1.0, as the HTTP protocol binding brings it.
 *
 * Binary mode: the attributes are ce- headers.  Structured mode: everything is
 * one JSON object of the type application/cloudevents+json.  A batch is refused
 * (415), what breaks the specification too (400, naming the attribute).  A
 * request that is no event is left alone: an empty POST is as good as a tick.
 *
 * Brokers deliver at least once, so an event is known by its source and id: the
 * same again has the answer it had.  That is what an Idempotency-Key promises,
 * and this makes one of them.
 */
#ifndef CLOUDEVENT_H
#define CLOUDEVENT_H

#include "request.h"

enum { MAX_EVENT_TEXT = 4096 };		/* bytes of an attribute */

struct event { const char *specversion, *id, *source, *type, *subject, *time,
	*dataschema, *datacontenttype; };

/* False: the request is refused.  *event stays empty when it is none. */
bool	 cloudevent_read(struct req *, struct event *);
/* A header's text (HTTP binding 3.1.3.2): unquoted, then percent-decoded once.
 * NULL: it is not a CloudEvents string. */
const char *cloudevent_header(struct req *, const char *);
/* Makes an event the request's idempotency key; false as above. */
bool	 cloudevent_take(struct req *);

#endif
