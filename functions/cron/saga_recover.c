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
	.raw_body = true,
	.timeout_s = 60,
	.every_s = 2,
	.output  = FIELDS(
		OUT(sagas,  JSON, "Each saga that was driven, and what became of it"),
		OUT(driven, INT,  "How many", .example = "0")),
};

static struct status
recover_sagas(struct req *rq)
{
	return saga_sweep(rq, MOST, false);
}
