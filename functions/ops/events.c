/*
 * GET /api/admin/events
 *
 * The outbox, the latest first: what the sink was told, is to be told, and would
 * not hear.
 */
#include "fn.h"

#include "event_shape.h"
#include "paging.h"

struct input {
	PAGING_MEMBERS;
	const char *state, *type, *subject;
};

/* Most were sent, or wait for a sink that there is not.  The dead are found by an
 * index that holds only them, if the statement says so by itself. */
#define EVENTS(those) PAGED_QUERY("events",				\
	" SELECT e.id FROM ops.event e"					\
	"  WHERE " those						\
	"    AND ($5::ops.event_state IS NULL OR e.state = $5::ops.event_state)" \
	"    AND ($6::text IS NULL OR e.type = $6)"			\
	"    AND ($7::text IS NULL OR e.subject = $7)",			\
	"(SELECT ops.event_json(e) FROM ops.event e WHERE e.id = g.id)")

QUERY(any_events, EVENTS("true"));
QUERY(dead_events, EVENTS("e.state = 'dead'"));

ENDPOINT(list_events) = {
	.method  = HTTP_GET,
	.path    = "/api/admin/events",
	.summary = "Events of the outbox, latest first",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PAGING_FIELDS,
		PARAM(state,   CHOICE, "Only those that stand so", .choices = EVENT_STATES,
		    .example = "\"dead\""),
		PARAM(type,    STR, "Only these", .min = 1, .max = 60, .example = "\"order.paid\""),
		PARAM(subject, STR, "Only those about it", .min = 1, .max = 100,
		    .example = "\"orders/17\"")),
	.output  = FIELDS(
		OUT_OBJECT(events, event_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static struct status
list_events(struct req *rq)
{
	const struct input *in = req_input(rq);
	bool dead = in->state != NULL && one_of(in->state, "dead");

	req_user(rq);	/* admins' only */
	return reply_row(rq, 200, db_one(rq, dead ? &dead_events : &any_events,
	    PAGING_ARGUMENTS(rq, in), in->state, in->type, in->subject));
}
