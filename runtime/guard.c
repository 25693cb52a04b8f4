#include "address.h"
#include "guard.h"
#include "kept.h"
#include "redis.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

SETTING_INT(limit_general, "RATE_LIMIT_GENERAL", 300, 0, 1000000,
    "Requests a minute by one address, and by one user; 0 is no limit");
SETTING_INT(limit_auth, "RATE_LIMIT_AUTH", 30, 0, 1000000,
    "Requests to auth endpoints in 15 minutes by one address; 0 is no limit");
SETTING_INT(limit_payments, "RATE_LIMIT_PAYMENTS", 100, 0, 1000000,
    "Requests to payment endpoints in an hour by one user; 0 is no limit");
COUNTER(hits, "cache_hits_total", "", "Answers given from the cache");
COUNTER(misses, "cache_misses_total", "", "Answers that had to be made");

enum { SESSION_SECONDS = 15, MAX_LIMITS = 3 };

/*
 * A sliding window from two counters: what was counted in the last whole
 * window weighs as much as the sliding window still covers of it.  INCR hands
 * every request a number of its own, so that N allowed are N, however many
 * arrive at once.
 */
struct limit {
	const char *name, *who;
	int64_t allowed;
	int seconds;
	const char *key, *key_before;
	int64_t count, count_before;
};

static int64_t
wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static size_t
limits_of(struct req *rq, struct limit *l)
{
	enum rate rate = rq->entry->endpoint->rate;
	const char *address;
	size_t n = 0;

	if (rate == RATE_NONE)
		return 0;
	address = address_for_limits(rq);
	if (limit_general.number > 0) {
		l[n++] = (struct limit){ "general", address, limit_general.number, 60, 0, 0, 0, 0 };
		if (rq->user != NULL)
			l[n++] = (struct limit){ "user", rq->user, limit_general.number, 60, 0, 0, 0, 0 };
	}
	if (rate == RATE_AUTH && limit_auth.number > 0)
		l[n++] = (struct limit){ "auth", address, limit_auth.number, 900, 0, 0, 0, 0 };
	if (rate == RATE_PAYMENT && limit_payments.number > 0)
		l[n++] = (struct limit){ "payment", rq->user == NULL ? address : rq->user,
		    limit_payments.number, 3600, 0, 0, 0, 0 };
	return n;
}

static void
ask_limits(struct req *rq, struct redis_flight *f, struct limit *l, size_t n, int64_t now)
{
	for (size_t i = 0; i < n; i++) {
		int64_t window = now / 1000 / l[i].seconds;

		l[i].key = fmt(rq, "limit:%s:%s:%" PRId64, l[i].name, l[i].who, window);
		l[i].key_before = fmt(rq, "limit:%s:%s:%" PRId64, l[i].name, l[i].who, window - 1);
		REDIS_ADD(f, "INCR", l[i].key);
	}
}

/* Everything that is only read goes into one MGET. */
static void
ask_values(struct redis_flight *f, const struct limit *l, size_t n,
    const char *session_key, const char *tag_key, const char *cache_key)
{
	const char *words[MAX_LIMITS + 4] = { "MGET" };
	int count = 1;

	for (size_t i = 0; i < n; i++)
		words[count++] = l[i].key_before;
	if (session_key != NULL)
		words[count++] = session_key;
	if (tag_key != NULL)
		words[count++] = tag_key;
	if (cache_key != NULL)
		words[count++] = cache_key;
	if (count > 1)
		redis_add(f, count, words, NULL);
}

/*
 * A process's own counts, for auth only, while Redis is away: guessing
 * passwords must not become free.
 */
static void
count_here(struct limit *l, int64_t now)
{
	static struct { uint32_t who; int64_t window, count; } table[256];
	int64_t window = now / 1000 / l->seconds;
	uint32_t who = 2166136261u;

	for (const char *c = l->who; *c != '\0'; c++)
		who = (who ^ (unsigned char)*c) * 16777619u;
	if (table[who % 256].who != who || table[who % 256].window != window) {
		table[who % 256].who = who;
		table[who % 256].window = window;
		table[who % 256].count = 0;
	}
	l->count = ++table[who % 256].count;
}

static void
judge(struct req *rq, struct guard *g, const struct limit *l, size_t n, int64_t now)
{
	const struct limit *tightest = NULL;
	int64_t tightest_left = INT64_MAX, reset = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t length = (int64_t)l[i].seconds * 1000, gone = now % length;
		int64_t before = l[i].count_before < l[i].allowed ? l[i].count_before : l[i].allowed;
		int64_t left = l[i].allowed - l[i].count - before * (length - gone) / length;

		if (left >= tightest_left)
			continue;
		tightest = &l[i];
		tightest_left = left;
		reset = (length - gone + 999) / 1000;
	}
	if (tightest == NULL)
		return;
	reply_header(rq, "RateLimit-Limit", text(rq, tightest->allowed));
	reply_header(rq, "RateLimit-Remaining", text(rq, tightest_left < 0 ? 0 : tightest_left));
	reply_header(rq, "RateLimit-Reset", text(rq, reset));
	if (tightest_left >= 0)
		return;
	g->limited = true;
	reply_header(rq, "Retry-After", text(rq, reset));
	fail(rq, ERR_RATE_LIMITED);
}

static const char *
cache_key(struct req *rq)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (const char *c = rq->cache_text; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
	return fmt(rq, "cache:%s:%016" PRIx64, rq->entry->name, hash);
}

/*
 * A cached value is "tag version\n inputs\n etag\n body".  The version makes
 * everything old at once when the tag's changes; the inputs are compared, so
 * that two requests with one hash never get each other's answer.
 */
static void
read_cached(struct req *rq, struct guard *g, const redisReply *value)
{
	size_t tag_length = strlen(g->cache_tag), inputs = strlen(rq->cache_text);
	const char *at, *end, *etag_end;

	if (value->type != REDIS_REPLY_STRING)
		return;
	at = value->str;
	end = value->str + value->len;
	if (value->len < tag_length + inputs + 3 || memcmp(at, g->cache_tag, tag_length) != 0 ||
	    at[tag_length] != '\n' || memcmp(at + tag_length + 1, rq->cache_text, inputs) != 0 ||
	    at[tag_length + 1 + inputs] != '\n')
		return;
	at += tag_length + inputs + 2;
	etag_end = memchr(at, '\n', (size_t)(end - at));
	if (etag_end == NULL)
		return;
	g->cached_etag = arena_copy(&rq->arena, at, (size_t)(etag_end - at));
	g->cached_length = (size_t)(end - etag_end) - 1;
	g->cached_body = arena_copy(&rq->arena, etag_end + 1, g->cached_length);
	kept_add(rq, g->cache_tag, g->cached_etag, g->cached_body, g->cached_length);
}

/* What this worker has kept turned out to be old: somebody else may have
 * filled Redis since. */
static void
ask_cached(struct req *rq, struct guard *g)
{
	struct redis_flight f = { 0 };

	REDIS_ADD(&f, "GET", cache_key(rq));
	if (redis_fly(rq, &f))
		read_cached(rq, g, f.replies[0]);
	redis_flight_end(&f);
}

/* value is NULL where only the tag was asked for. */
static void
look_up(struct req *rq, struct guard *g, const struct kept *kept,
    const redisReply *tag, const redisReply *value)
{
	if (tag->type != REDIS_REPLY_STRING) {
		/* Nobody knows the version any more: start a new one. */
		guard_purge(rq, rq->entry->endpoint->cache.tag);
		return;
	}
	g->cache_tag = arena_copy(&rq->arena, tag->str, tag->len);
	if (value != NULL) {
		read_cached(rq, g, value);
	} else if (strcmp(kept->tag, g->cache_tag) == 0) {
		g->cached_etag = kept->etag;
		g->cached_body = kept->body;
		g->cached_length = kept->length;
	} else {
		ask_cached(rq, g);
	}
}

static const char *
tag_key(struct req *rq, const char *tag)
{
	return fmt(rq, "tag:%s", tag);
}

static void
read_replies(struct req *rq, struct guard *g, struct redis_flight *f,
    struct limit *l, size_t n, bool session, bool cache, const struct kept *kept)
{
	const redisReply *values = f->count > (int)n ? f->replies[n] : NULL;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		const redisReply *before = values->element[at++];

		l[i].count = f->replies[i]->type == REDIS_REPLY_INTEGER ? f->replies[i]->integer : 0;
		if (before->type == REDIS_REPLY_STRING)
			l[i].count_before = strtoll(before->str, NULL, 10);
	}
	if (session && values->element[at++]->type == REDIS_REPLY_STRING)
		g->session = strcmp(values->element[at - 1]->str, "live") == 0
		    ? SESSION_LIVE : SESSION_REVOKED;
	if (cache)
		look_up(rq, g, kept, values->element[at],
		    kept == NULL ? values->element[at + 1] : NULL);
}

/* Only the first of a window sets when its counter goes. */
static void
expire_counters(struct req *rq, const struct limit *l, size_t n)
{
	struct redis_flight f = { 0 };

	for (size_t i = 0; i < n; i++)
		if (l[i].count == 1)
			REDIS_ADD(&f, "EXPIRE", l[i].key, text(rq, 2 * l[i].seconds));
	if (f.count > 0)
		redis_fly(rq, &f);
	redis_flight_end(&f);
}

static const char *
session_key(struct req *rq)
{
	return fmt(rq, "session:%s", rq->session);
}

void
guard_ask(struct req *rq, struct guard *g)
{
	const struct endpoint *e = rq->entry->endpoint;
	struct limit limits[MAX_LIMITS + 1];
	struct redis_flight f = { 0 };
	int64_t now = wall_ms();
	size_t n = limits_of(rq, limits);
	bool cache = e->cache.seconds > 0 && !rq->decided &&
	    (e->cache.private_for == ACCESS_UNSET || !req_is(rq, e->cache.private_for));
	const struct kept *kept = cache ? kept_find(rq) : NULL;
	bool away;

	ask_limits(rq, &f, limits, n, now);
	ask_values(&f, limits, n, rq->session == NULL ? NULL : session_key(rq),
	    cache ? tag_key(rq, e->cache.tag) : NULL,
	    cache && kept == NULL ? cache_key(rq) : NULL);
	away = (n > 0 || rq->session != NULL || cache) && !redis_fly(rq, &f);
	if (away) {
		if (n > 0 && e->rate == RATE_AUTH && limit_auth.number > 0) {
			count_here(&limits[n - 1], now);
			judge(rq, g, &limits[n - 1], 1, now);
		}
	} else if (f.count > 0) {
		struct redis_flight asked = f;

		/* The connection is free for other use while these are read. */
		read_replies(rq, g, &asked, limits, n, rq->session != NULL, cache, kept);
		expire_counters(rq, limits, n);
		judge(rq, g, limits, n, now);
	}
	redis_flight_end(&f);
	if (cache && !away) {
		rq->cache_state = g->cached_body != NULL ? "HIT" : "MISS";
		metric_add(g->cached_body != NULL ? &hits : &misses, 1);
	} else if (e->cache.seconds > 0 && !rq->decided) {
		rq->cache_state = "MISS";
	}
}

void
guard_session_is_live(struct req *rq)
{
	struct redis_flight f = { 0 };

	/* NX: a sign-out since the question was asked has the last word. */
	REDIS_ADD(&f, "SET", session_key(rq), "live", "EX", text(rq, SESSION_SECONDS), "NX");
	redis_fly(rq, &f);
	redis_flight_end(&f);
}

void
guard_fill(struct req *rq, const struct guard *g, const char *etag)
{
	struct redis_flight f = { 0 };
	const char *words[5];
	size_t lengths[5], head, length;
	char *value;

	if (g->cache_tag == NULL)
		return;
	kept_add(rq, g->cache_tag, etag, rq->body_out, rq->body_out_length);
	head = strlen(g->cache_tag) + strlen(rq->cache_text) + strlen(etag) + 3;
	length = head + rq->body_out_length;
	value = mem(rq, length + 1);
	memcpy(value, fmt(rq, "%s\n%s\n%s\n", g->cache_tag, rq->cache_text, etag), head);
	memcpy(value + head, rq->body_out, rq->body_out_length);
	words[0] = "SET";
	words[1] = cache_key(rq);
	words[2] = value;
	words[3] = "EX";
	words[4] = text(rq, rq->entry->endpoint->cache.seconds);
	for (int i = 0; i < 5; i++)
		lengths[i] = i == 2 ? length : strlen(words[i]);
	redis_add(&f, 5, words, lengths);
	redis_fly(rq, &f);
	redis_flight_end(&f);
}

void
guard_purge(struct req *rq, const char *tag)
{
	struct redis_flight f = { 0 };

	/* Unlike any version before, even if Redis has forgotten those. */
	REDIS_ADD(&f, "SET", tag_key(rq, tag), fmt(rq, "%" PRIx64 "-%s",
	    (uint64_t)wall_ms(), rq->span_id));
	redis_fly(rq, &f);
	redis_flight_end(&f);
}
