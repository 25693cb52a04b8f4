#include "stripe_walk.h"

#include <stdio.h>

enum {
	LEASE_S = 60,		/* longer than a run */
	OVERLAP_S = 120		/* clocks differ, and lists may be late */
};

QUERY(begin_walk,
	"SELECT * FROM payments.walk_begin($1, $2, $3)");
QUERY(pass_page,
	"SELECT payments.walk_pass($1, $2)");
QUERY(end_walk,
	"SELECT payments.walk_end($1, $2)");

const cJSON *
stripe_oldest(const cJSON *list)
{
	/* The first child's prev is the last. */
	return list == NULL || list->child == NULL ? NULL : list->child->prev;
}

const cJSON *
stripe_newer(const cJSON *list, const cJSON *of)
{
	return of == list->child ? NULL : of->prev;
}

enum passed { MORE, END, STUCK };

static enum passed
pass(struct req *rq, const struct stripe_walk *w, const char *range, char after[256], void *to)
{
	struct stripe_reply r = stripe_get(rq, fmt(rq, "%s&limit=50%s%s%s", w->list, range,
	    *after == '\0' ? "" : "&starting_after=", after));
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(r.body, "data");
	const char *last = stripe_id(stripe_oldest(data));

	if (r.outcome == STRIPE_REFUSED && *after != '\0') {
		/* It has forgotten where we were. */
		db_run(rq, &pass_page, w->name, NULL);
		return STUCK;
	}
	if (!cJSON_IsArray(data))
		return STUCK;
	w->page(rq, data, to);
	if (last == NULL || !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(r.body, "has_more")))
		return END;
	db_run(rq, &pass_page, w->name, last);
	snprintf(after, 256, "%s", last);
	return MORE;
}

static enum passed
walk_one(struct req *rq, const struct stripe_walk *w, const struct row *walk, uint64_t end_us,
    void *to)
{
	enum passed passed = MORE;
	char after[256] = "";		/* an id is no longer */
	const char *range = fmt(rq, "&created[gte]=%lld&created[lte]=%s",
	    (long long)row_int(walk, "since") - OVERLAP_S, row_text(walk, "until"));

	if (row_text(walk, "after") != NULL)
		snprintf(after, sizeof(after), "%s", row_text(walk, "after"));
	while (passed == MORE && now_us() < end_us && !req_failed(rq)) {
		struct mark *mark = mem_mark(rq);

		passed = pass(rq, w, range, after, to);
		mem_release(rq, mark);
	}
	db_run(rq, &end_walk, w->name, passed == END ? "true" : "false");
	return passed;
}

bool
stripe_walk(struct req *rq, const struct stripe_walk *w, uint64_t end_us, void *to)
{
	const struct row *walk;
	enum passed passed;

	/* One that an earlier run has begun is followed by one of now. */
	do {
		walk = db_one(rq, &begin_walk, w->name, text(rq, w->behind_s), text(rq, LEASE_S));
		passed = walk == NULL ? STUCK : walk_one(rq, w, walk, end_us, to);
	} while (passed == END && !row_bool(walk, "is_new"));
	return passed == END;
}
