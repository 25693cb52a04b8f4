/*
 * POST /api/admin/sagas/{id}/compensate
 *
 * Undoes an order that is not paid: its intent is cancelled, and only then its
 * stock comes back.  Where Stripe says that it was paid after all, the money goes
 * back too.
 */
#include "fn.h"

#include "saga_shape.h"

struct input {
	const char *id, *reason;
};

QUERY(undo,
	"SELECT * FROM orders.operator_compensates($1, $2, ROW($3, $4, $5)::ops.caller, $6, $7, $8, $9)");

ENDPOINT(compensate_saga) = {
	.method  = HTTP_POST,
	.path    = "/api/admin/sagas/{id}/compensate",
	.summary = "Undo the order of a saga",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.commit  = COMMIT_EACH,
	.waits   = true,
	.idempotent = true,
	.input   = FIELDS(
		PATH(id, ID, "The saga", .example = "1"),
		REASON_FIELD),
	.output  = SAGA_ACT_OUTPUT,
	.errors  = ERRORS(ERR_SAGA_FINISHED, ERR_SAGA_NOT_COMPENSABLE),
};

static struct status
compensate_saga(struct req *rq)
{
	const struct input *in = req_input(rq);

	return saga_act(rq, &undo, in->id, in->reason);
}
