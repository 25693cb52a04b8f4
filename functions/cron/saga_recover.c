/*
 * POST /internal/cron/saga-recover
 *
 * Carry on sagas whose driver died or that are due to be tried again.
 */
#include "fn.h"

#include "saga.h"

enum { MOST = 200 };		/* sagas a run */

ENDPOINT(recover_sagas) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/saga-recover",
	.summary = "Carry on sagas whose driver died or that are due to be tried again",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "Nobody gets what another run has claimed",
	.event   = true,
	.timeout_s = 60,
	.every_s = 2,
	.woken_by = "sagas",
	.woken_after_s = 2,
	.output  = FIELDS(
		OUT_OBJECT(sagas, saga_run_shape, "Each saga that was driven", .many = true),
		OUT(driven, INT, "How many", .example = "1")),
};

static struct status
recover_sagas(struct req *rq)
{
	return saga_sweep(rq, MOST, false);
}
