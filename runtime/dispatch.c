/*
 * The order of work of every request:
 *
 *   path and method -> token -> one Redis round trip (limits, session, cache)
 *   -> access -> input -> handler in a transaction, rerun where that helps
 *   -> commit -> purge or fill the cache -> reply
 *
 * and, once the reply has left: deferred work, log line, metrics.
 */
#include "access.h"
#include "address.h"
#include "builtin.h"
#include "cloudevent.h"
#include "cors.h"
#include "db.h"
#include "etag.h"
#include "guard.h"
#include "log.h"
#include "observe.h"
#include "represent.h"
#include "request.h"
#include "span.h"
#include "wake.h"

#include <string.h>

/* Absent where the handler never asks for a user, a query or a key. */
#pragma weak auth_read_token
#pragma weak db_begin
#pragma weak db_commit
#pragma weak db_rollback
#pragma weak db_should_rerun
#pragma weak db_recall
#pragma weak db_claim_event
#pragma weak cloudevent_take
#pragma weak db_key_was_taken
#pragma weak db_keep_answer
#pragma weak db_release

enum { MAX_RUNS = 4 };

static bool
find_endpoint(struct req *rq)
{
	const char *allow;

	if (!request_parse_target(rq)) {
		fail(rq, ERR_MALFORMED);
		return false;
	}
	if (builtin_answers(rq))
		return false;
	rq->entry = request_route(rq, &allow);
	if (rq->entry != NULL)
		return true;
	if (allow != NULL)
		reply_header(rq, "Allow", allow);
	fail(rq, allow != NULL ? ERR_METHOD_NOT_ALLOWED : ERR_NOT_FOUND);
	return false;
}

static bool
key_is_sound(struct req *rq)
{
	const char *key = rq->idempotency_key;
	size_t n = key == NULL ? 0 : strlen(key);

	if (key == NULL || !rq->entry->endpoint->idempotent) {
		rq->idempotency_key = NULL;
		return true;
	}
	for (const char *c = key; *c != '\0'; c++)
		n = *c < ' ' || *c > '~' ? 0 : n;
	if (n >= 1 && n <= 255)
		return true;
	fail_field(rq, "Idempotency-Key", "format", "Must be 1 to 255 visible characters");
	return false;
}

/* Until it is committed, or failed for good.  Only bad luck makes it run more
 * than once, and so may an idempotency key whose first try has died. */
static void
run_handler(struct req *rq)
{
	const struct endpoint *e = rq->entry->endpoint;
	bool each = e->commit == COMMIT_EACH || e->method == HTTP_GET;

	for (int run = 1; ; run++) {
		if (rq->idempotency_key != NULL && rq->reference == NULL && db_recall(rq))
			return;
		if (db_begin != NULL)
			db_begin(rq, each);
		/* In a transaction it is claimed with the first statement. */
		if (!each || !rq->event || rq->reference != NULL || db_claim_event(rq))
			rq->entry->handle(rq);
		if (db_commit == NULL || (!req_failed(rq) && (rq->status < 300 || each) &&
		    db_commit(rq)))
			return;
		db_rollback();
		if (run == MAX_RUNS || !(db_key_was_taken() || db_should_rerun(rq)))
			return;
		reply_clear(rq);
	}
}

static bool
succeeded(const struct req *rq)
{
	return rq->error == ERR_NONE && rq->status >= 200 && rq->status < 300;
}

static bool
was_replayed(const struct req *rq)
{
	for (const struct header *h = rq->headers; h != NULL; h = h->next)
		if (strcmp(h->name, "Idempotent-Replayed") == 0)
			return true;
	return false;
}

/* In a transaction the answer was kept by its commit. */
static void
keep_answer(struct req *rq)
{
	if (rq->idempotency_key != NULL && succeeded(rq) && !was_replayed(rq) &&
	    rq->entry->endpoint->commit == COMMIT_EACH)
		db_keep_answer(rq);
}

static void
answer_from_cache(struct req *rq, const struct guard *g)
{
	reply_bytes(rq, 200, "application/json", g->cached_body, g->cached_length);
	represent(rq, g->cached_etag);
}

static void
answer_from_handler(struct req *rq, const struct guard *g)
{
	const struct endpoint *e = rq->entry->endpoint;
	const char *etag;

	run_handler(rq);
	if (!rq->decided)
		return;
	keep_answer(rq);
	if (rq->idempotency_key != NULL)
		fault_point("answer_kept");
	/* After a replay too: its first run may have died before it came here. */
	if (e->purges != NULL && succeeded(rq))
		cache_purge(rq, e->purges);
	if (rq->purge != NULL)
		guard_purge(rq, rq->purge);
	if (!succeeded(rq) || (rq->cache_state == NULL && (!e->if_match || e->answer == NULL)))
		return;
	etag = etag_of(rq, rq->body_out, rq->body_out_length);
	if (rq->cache_state == NULL) {
		reply_header(rq, "ETag", etag);
	} else {
		guard_fill(rq, g, etag);
		represent(rq, etag);
	}
}

static void
answer(struct req *rq)
{
	struct guard g = { 0 };

	if (!find_endpoint(rq))
		return;
	if (auth_read_token != NULL)
		auth_read_token(rq);
	if (rq->entry->endpoint->cache.seconds > 0)
		input_read(rq);		/* what the cache is asked with */
	guard_ask(rq, &g);
	access_check(rq, &g);
	if (!rq->decided && rq->input == NULL)
		input_read(rq);
	if (!rq->decided && key_is_sound(rq) &&
	    (!rq->entry->endpoint->event || cloudevent_take(rq))) {
		if (g.cached_body != NULL)
			answer_from_cache(rq, &g);
		else
			answer_from_handler(rq, &g);
	}
	if (!succeeded(rq))
		guard_give_up(rq, &g);
}

void
dispatch(struct req *rq)
{
	rq->address = address_of_client(rq);
	answer(rq);
	cors_add(rq);
	reply_finish(rq);
}

void
dispatch_turn_away(struct req *rq)
{
	enum { SPREAD_S = 3 };		/* or all of them are back at once */
	const char *allow;

	rq->address = address_of_client(rq);
	if (request_parse_target(rq))
		rq->entry = request_route(rq, &allow);
	reply_header(rq, "Retry-After", text(rq, 1 + (int64_t)(now_us() % SPREAD_S)));
	fail_text(rq, ERR_UNAVAILABLE, "Too many ask for this at once; try again shortly");
	cors_add(rq);
	reply_finish(rq);
}

void
dispatch_after(struct req *rq)
{
	uint64_t taken = now_us() - rq->started_us;

	if (rq->later != NULL && rq->error == ERR_NONE) {
		rq->decided = false;
		if (db_begin != NULL)
			db_begin(rq, true);
		rq->later(rq);
	}
	wake_others(rq);
	observe(rq, taken);
	span_request(rq, taken);
	if (db_release != NULL)
		db_release(rq);
}
