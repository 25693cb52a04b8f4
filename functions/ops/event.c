/*
 * GET /api/admin/events/{id}
 *
 * An event with what the sink is told.
 */
#include "fn.h"

#include "event_shape.h"

struct input {
	const char *id;
};

QUERY(find,
	"SELECT json_build_object('event', ops.event_json(e), 'data', e.data)"
	"  FROM ops.event e WHERE e.id = $1");

ENDPOINT(get_event) = {
	.method  = HTTP_GET,
	.path    = "/api/admin/events/{id}",
	.summary = "One event with its data",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id, ID, "The event", .example = "1")),
	.output  = FIELDS(
		OUT_OBJECT(event, event_shape, "How it stands"),
		OUT(data, JSON, "What the sink is told",
		    .example = "{\"id\": 17, \"status\": \"paid\"}")),
};

static struct status
get_event(struct req *rq)
{
	const struct input *in = req_input(rq);

	req_user(rq);	/* admins' only */
	return reply_row(rq, 200, db_one(rq, &find, in->id));
}
