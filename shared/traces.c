#include "traces.h"

QUERY(saga_trace,
	"SELECT orders.saga_trace($1) AS traceparent");
QUERY(event_trace,
	"SELECT orders.event_trace($1) AS traceparent");

const char *
trace_of_saga(struct req *rq, const struct saga *s)
{
	/* Who has a checkpoint to make has just begun it. */
	if (!span_wanted() || s->checkpoint != NULL)
		return NULL;
	return row_text(db_one(rq, &saga_trace, s->id), "traceparent");
}

static const char *event_id;		/* of the current request */

static void
join(struct req *rq)
{
	span_join(rq, row_text(db_one(rq, &event_trace, event_id), "traceparent"));
}

void
trace_of_event(struct req *rq, const char *event)
{
	if (!span_is_on(rq))
		return;
	event_id = event;
	after_reply(rq, join);
}
