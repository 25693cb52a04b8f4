/*
 * POST /api/admin/events/requeue
 *
 * Has all dead events sent again, or those of a type, once the sink is mended:
 * the oldest first, in order for each subject, a thousand at a time.
 */
#include "fn.h"

#include "operator_act.h"

struct input {
	const char *type, *reason;
};

QUERY(requeue,
	"SELECT ops.operator_requeues_events($1, $2) AS n");

ENDPOINT(requeue_events) = {
	.method  = HTTP_POST,
	.path    = "/api/admin/events/requeue",
	.summary = "Send all dead events again",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.idempotent = true,
	.input   = FIELDS(
		BODY(type, STR, "Which; all without it", .min = 1, .max = 60,
		    .example = "\"order.paid\""),
		REASON_FIELD),
	.output  = FIELDS(
		REQUEUED_FIELDS),
};

static struct status
requeue_events(struct req *rq)
{
	const struct input *in = req_input(rq);
	int64_t n = row_int(db_one(rq, &requeue, in->type, text(rq, REQUEUE_MOST)), "n");

	return operator_requeue_reply(rq, "events", "type", in->type, in->reason, n);
}
