#include "purge.h"

enum { BATCH = 1000, BATCHES = 200, SECONDS = 20, MAX_KINDS = 8 };

struct status
purge_in_batches(struct req *rq, purge_batch *purge, const char *const *kinds)
{
	uint64_t deadline = now_us() + SECONDS * UINT64_C(1000000);
	int64_t gone[MAX_KINDS] = { 0 };
	struct json *answer = json_new(rq);
	bool more = true;

	for (int i = 0; i < BATCHES && more && now_us() < deadline && !req_failed(rq); i++) {
		const struct row *row = purge(rq, text(rq, BATCH));

		more = false;
		for (int k = 0; kinds[k] != NULL; k++) {
			gone[k] += row_int(row, kinds[k]);
			more = more || row_int(row, kinds[k]) == BATCH;
		}
	}
	json_open(answer, '{');
	for (int k = 0; kinds[k] != NULL; k++) {
		json_key(answer, kinds[k]);
		json_int(answer, gone[k]);
	}
	json_key(answer, "more");
	json_bool(answer, more);
	return reply_json(rq, 200, json_text(answer));
}
