/*
 * POST /api/admin/sagas/{id}/retry
 *
 * Takes a saga up where it stands, or has stopped, and drives it as far as it
 * goes.  Whoever was at work on it is fenced, so this is safe at any time;
 * each call to Stripe carries the key that it carried before.
 */
#include "fn.h"

#include "saga_shape.h"

struct input {
	const char *id, *reason;
};

QUERY(take_up,
	"SELECT * FROM orders.operator_retries($1, $2, ROW($3, $4, $5)::ops.caller, $6, $7, $8, $9)");

ENDPOINT(retry_saga) = {
	.method  = HTTP_POST,
	.path    = "/api/admin/sagas/{id}/retry",
	.summary = "Take a saga up where it stands",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.commit  = COMMIT_EACH,
	.waits   = true,
	.idempotent = true,
	.input   = FIELDS(
		PATH(id, ID, "The saga", .example = "1"),
		REASON_FIELD),
	.output  = SAGA_ACT_OUTPUT,
	.errors  = ERRORS(ERR_SAGA_FINISHED),
};

static struct status
retry_saga(struct req *rq)
{
	const struct input *in = req_input(rq);

	return saga_act(rq, &take_up, in->id, in->reason);
}
