/*
 * POST /api/admin/events/{id}/retry
 *
 * Has an event sent now that is dead, or that the sink would not take, with all its
 * tries before it.  A dead one arrives after what came behind it.
 */
#include "fn.h"

#include "event_shape.h"
#include "operator_act.h"

struct input {
	const char *id, *reason;
};

QUERY(retry,
	"SELECT event, before, after FROM ops.operator_retries_event($1)");

ENDPOINT(retry_event) = {
	.method  = HTTP_POST,
	.path    = "/api/admin/events/{id}/retry",
	.summary = "Send an event again",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.idempotent = true,
	.input   = FIELDS(
		PATH(id, ID, "The event", .example = "1"),
		REASON_FIELD),
	.answer  = &event_shape,
	.errors  = ERRORS(ERR_EVENT_FINISHED, ERR_EVENT_NOT_FIRST),
};

static struct status
retry_event(struct req *rq)
{
	const struct input *in = req_input(rq);

	return operator_act_reply(rq, "event", "retry", in->id, in->reason,
	    db_one(rq, &retry, in->id));
}
