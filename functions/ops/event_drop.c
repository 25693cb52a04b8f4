/*
 * POST /api/admin/events/{id}/drop
 *
 * Gives an event up that is dead, or that the sink would not take: those about the
 * same subject go on without it.
 */
#include "fn.h"

#include "event_shape.h"
#include "operator_act.h"

struct input {
	const char *id, *reason;
};

QUERY(drop,
	"SELECT event, before, after FROM ops.operator_drops_event($1)");

ENDPOINT(drop_event) = {
	.method  = HTTP_POST,
	.path    = "/api/admin/events/{id}/drop",
	.summary = "Give an event up",
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
drop_event(struct req *rq)
{
	const struct input *in = req_input(rq);

	return operator_act_reply(rq, "event", "drop", in->id, in->reason,
	    db_one(rq, &drop, in->id));
}
