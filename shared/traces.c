#include "traces.h"
#include "stripe.h"

QUERY(saga_trace,
	"SELECT orders.saga_trace($1) AS traceparent");
QUERY(intent_trace,
	"SELECT orders.intent_trace($1) AS traceparent");

const char *
trace_of_saga(struct req *rq, const struct saga *s)
{
	/* Who has a checkpoint to make has just begun it. */
	if (!span_wanted() || s->checkpoint != NULL)
		return NULL;
	return row_text(db_one(rq, &saga_trace, s->id), "traceparent");
}

/* It is about a payment intent, or about something of one. */
void
trace_of_event(struct req *rq, const cJSON *event)
{
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(
	    cJSON_GetObjectItemCaseSensitive(event, "data"), "object");
	const char *intent = stripe_text(object, "payment_intent");

	if (intent == NULL)
		intent = stripe_text(object, "id");
	if (span_is_on(rq) && intent != NULL)
		span_join(rq, row_text(db_one(rq, &intent_trace, intent), "traceparent"));
}
