/*
 * GET /api/admin/sagas
 *
 * Sagas, the latest first, for whoever has to find those that are stuck.
 */
#include "fn.h"

#include "paging.h"
#include "saga_shape.h"

struct input {
	PAGING_MEMBERS;
	const char *state, *step, *kind, *order;
	int64_t min_age, min_overdue;
};

/* Most sagas have ended long ago.  Those that have not are found by indexes
 * that hold no others, if the statement says so by itself. */
#define SAGAS(those) PAGED_QUERY("sagas",				\
	" SELECT s.id FROM orders.saga s"				\
	"  WHERE " those						\
	"    AND ($5::text IS NULL OR s.state = $5)"			\
	"    AND ($6::text IS NULL OR s.step = $6)"			\
	"    AND ($7::text IS NULL OR s.kind = $7)"			\
	"    AND ($8::bigint IS NULL OR s.order_id = $8)"		\
	"    AND s.created_at <= now() - make_interval(secs => $9::bigint)" \
	"    AND ($10::bigint < 0 OR s.wake_at <= now() - make_interval(secs => $10::bigint))", \
	"(SELECT orders.saga_json(s) FROM orders.saga s WHERE s.id = g.id)")

QUERY(any_sagas, SAGAS("true"));
QUERY(open_sagas, SAGAS("(s.wake_at IS NOT NULL OR s.state IN ('paused', 'dead'))"));
QUERY(sagas_of_order, SAGAS(
	"(s.kind = 'order' AND s.order_id = $8 OR s.kind <> 'order' AND s.order_id = $8)"));

ENDPOINT(list_sagas) = {
	.method  = HTTP_GET,
	.path    = "/api/admin/sagas",
	.summary = "Sagas, latest first",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PAGING_FIELDS,
		PARAM(state, CHOICE, "Only those that stand so", .choices = SAGA_STATES,
		    .example = "\"dead\""),
		PARAM(step,  STR,    "Only those at this step", .min = 1, .max = 60,
		    .example = "\"await_payment\""),
		PARAM(kind,  STR,    "Only these", .min = 1, .max = 60, .example = "\"order\""),
		PARAM(order, ID,     "Only those of this order"),
		PARAM_AS(min_age, "minAge", INT, "Only those that began so many seconds ago or more",
		    .min = 0, .max = 1000000000),
		PARAM_AS(min_overdue, "minOverdue", INT,
		    "Only those whose alarm rang so many seconds ago or more, and nobody has come",
		    .min = 0, .max = 1000000000, .preset = -1)),
	.output  = FIELDS(
		OUT_OBJECT(sagas, saga_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static struct status
list_sagas(struct req *rq)
{
	const struct input *in = req_input(rq);
	bool ended = in->state == NULL ? in->min_overdue < 0
	    : one_of(in->state, "done", "compensated");
	const struct query *query = in->order != NULL ? &sagas_of_order
	    : ended ? &any_sagas : &open_sagas;

	req_user(rq);	/* admins' only */
	return reply_row(rq, 200, db_one(rq, query, PAGING_ARGUMENTS(rq, in),
	    in->state, in->step, in->kind, in->order, text(rq, in->min_age),
	    text(rq, in->min_overdue)));
}
