/*
 * POST /internal/cron/reservations-expire
 *
 * Cancel orders that were not paid in time and take their stock back.
 */
#include "fn.h"

#include "saga.h"

enum { MOST = 200 };		/* sagas a run */

ENDPOINT(expire_reservations) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/reservations-expire",
	.summary = "Cancel orders that were not paid in time and take their stock back",
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
expire_reservations(struct req *rq)
{
	return saga_sweep(rq, MOST, true);
}
