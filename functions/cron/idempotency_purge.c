/*
 * POST /internal/cron/idempotency-purge
 *
 * Deletes the kept answers of idempotency keys whose 24 hours are over.
 */
#include "fn.h"

#include "purge.h"

QUERY(purge,
	"SELECT ops.idempotency_purge($1) AS keys");

ENDPOINT(purge_idempotency) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/idempotency-purge",
	.summary = "Delete the kept answers of idempotency keys that have run out",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "What has run out is gone",
	.event   = true,
	.timeout_s = 60,
	.every_s = 600,
	.output  = FIELDS(
		OUT(keys, INT,  "How many are gone", .example = "0"),
		OUT(more, BOOL, "Whether some are left for the next run", .example = "false")),
};

static const struct row *
purge_batch_of(struct req *rq, const char *most)
{
	return db_one(rq, &purge, most);
}

static struct status
purge_idempotency(struct req *rq)
{
	static const char *const kinds[] = { "keys", NULL };

	return purge_in_batches(rq, purge_batch_of, kinds);
}
