/*
 * POST /internal/cron/tokens-purge
 *
 * Deletes sessions and tokens that have run out.
 */
#include "fn.h"

#include "purge.h"

QUERY(purge,
	"SELECT refresh_tokens, sessions, email_tokens FROM users.tokens_purge($1)");

ENDPOINT(purge_tokens) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/tokens-purge",
	.summary = "Delete sessions and tokens that have run out",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "What has run out is gone",
	.event   = true,
	.timeout_s = 60,
	.every_s = 600,
	.output  = FIELDS(
		OUT(refresh_tokens, INT,  "How many are gone", .example = "0"),
		OUT(sessions,       INT,  "How many are gone", .example = "0"),
		OUT(email_tokens,   INT,  "How many are gone", .example = "0"),
		OUT(more,           BOOL, "Whether some are left for the next run",
		    .example = "false")),
};

static const struct row *
purge_batch_of(struct req *rq, const char *most)
{
	return db_one(rq, &purge, most);
}

static struct status
purge_tokens(struct req *rq)
{
	static const char *const kinds[] = { "refresh_tokens", "sessions", "email_tokens", NULL };

	return purge_in_batches(rq, purge_batch_of, kinds);
}
