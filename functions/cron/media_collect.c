/*
 * POST /internal/cron/media-collect
 *
 * Delete from the object store what no product has shown for a while, because
 * it was removed or because whoever uploaded it died.
 *
 * A picture that goes is first taken off the books, for good, which its being
 * shown anywhere prevents; from then on its files are garbage under keys that
 * no other picture will ever have.  So there is no hurry to delete them, no
 * harm in doing it twice, and no way for an upload to get in between.
 */
#include "fn.h"

#include "objects.h"

SETTING_INT(grace_s, "MEDIA_GRACE_S", 86400, 300, 31536000,
    "Seconds that a picture which nobody shows is kept");

enum {
	MOST_PICTURES = 200,		/* a run */
	MOST_FILES = 600,
	PATIENCE_US = 30000000
};

QUERY(discard_pictures,
	"WITH gone AS ("
	" DELETE FROM media.picture WHERE id IN ("
	"  SELECT id FROM media.picture"
	"   WHERE unused_since < now() - make_interval(secs => $1::bigint)"
	"   ORDER BY unused_since LIMIT $2::bigint FOR UPDATE SKIP LOCKED)"
	" RETURNING id, hash, files, unused_since),"
	" noted AS ("
	" INSERT INTO media.garbage (key)"
	" SELECT media.key((id, hash, files, unused_since)::media.picture, f ->> 'name')"
	"   FROM gone, jsonb_array_elements(files) f"
	" ON CONFLICT DO NOTHING)"
	" SELECT count(*) AS n FROM gone");

/* Whoever claims has a minute: another run leaves these to it. */
QUERY(claim_files,
	"UPDATE media.garbage SET claimed_until = now() + interval '1 minute'"
	" WHERE key IN (SELECT key FROM media.garbage WHERE claimed_until < now()"
	"                ORDER BY claimed_until LIMIT $1::bigint FOR UPDATE SKIP LOCKED)"
	" RETURNING key");

QUERY(forget_file,
	"DELETE FROM media.garbage WHERE key = $1");

ENDPOINT(collect_media) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/media-collect",
	.summary = "Delete pictures that no product shows any more",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "Nobody gets what another run has claimed",
	.event   = true,
	.timeout_s = 60,
	.every_s = 60,
	.output  = FIELDS(
		OUT(pictures, INT, "How many were taken off the books", .example = "0"),
		OUT(files,    INT, "How many files were deleted", .example = "0")),
};

static struct status
collect_media(struct req *rq)
{
	uint64_t end = now_us() + PATIENCE_US;
	int64_t pictures = row_int(db_one(rq, &discard_pictures, text(rq, grace_s.number),
	    text(rq, MOST_PICTURES)), "n");
	const struct rows *files = db_all(rq, &claim_files, text(rq, MOST_FILES));
	struct json *j = json_new(rq);
	size_t deleted = 0;

	fault_point("media_files_claimed");
	for (; deleted < rows_count(files) && now_us() < end; deleted++) {
		const char *key = row_text(rows_at(files, deleted), "key");

		if (!objects_delete(rq, key))
			break;
		fault_point("media_file_deleted");
		db_run(rq, &forget_file, key);
	}
	json_open(j, '{');
	json_key(j, "pictures");
	json_int(j, pictures);
	json_key(j, "files");
	json_int(j, (int64_t)deleted);
	return reply_json(rq, 200, json_text(j));
}
