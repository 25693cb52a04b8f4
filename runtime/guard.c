#include "guard.h"
#include "kept.h"
#include "limit.h"
#include "redis.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

COUNTER(hits, "cache_hits_total", "", "Answers given from the cache");
COUNTER(misses, "cache_misses_total", "", "Answers that had to be made");
COUNTER(unpurged, "cache_purges_failed_total", "",
    "Writes that Redis could not be told of; what it keeps is old until it expires");

enum {
	MAX_TAGS = 8,
	SESSION_SECONDS = 15,
	DOUBT_SECONDS = 120,	/* longer than any request may take */
	FILL_US = 1000000,	/* for somebody else to make an answer */
	FILL_LOOK_US = 3000
};

static int64_t
wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Everything that is only read goes into one MGET.  How many values it asks for. */
static int
ask_values(struct redis_flight *f, const char *session_key, const char *tag_key,
    const char *cache_key)
{
	const char *words[4] = { "MGET" };
	int count = 1;

	if (session_key != NULL)
		words[count++] = session_key;
	if (tag_key != NULL)
		words[count++] = tag_key;
	if (cache_key != NULL)
		words[count++] = cache_key;
	if (count > 1)
		redis_add(f, count, words, NULL);
	return count - 1;
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

/* Whoever answers there is not always Redis. */
static bool
is_list(const redisReply *r, int n)
{
	return r->type == REDIS_REPLY_ARRAY && r->elements == (size_t)n;
}

/* values: what ask_values() asked for, in its order. */
static void
read_values(struct req *rq, struct guard *g, const redisReply *values, bool session,
    bool cache, const struct kept *kept)
{
	size_t at = 0;

	if (session && values->element[at++]->type == REDIS_REPLY_STRING)
		g->session_is_live = strcmp(values->element[at - 1]->str, "live") == 0;
	if (cache)
		look_up(rq, g, kept, values->element[at],
		    kept == NULL ? values->element[at + 1] : NULL);
}

/* Whoever has the key makes the answer.  It names the tag's version, so that
 * after a purge nobody waits for an answer that is old already. */
static bool
may_fill(struct req *rq, struct guard *g)
{
	struct redis_flight f = { 0 };
	bool up;

	REDIS_ADD(&f, "SET", g->fill_key, "1", "NX", "PX", text(rq, 2 * FILL_US / 1000));
	REDIS_ADD(&f, "GET", cache_key(rq));
	up = redis_fly(rq, &f);
	if (up && f.replies[0]->type == REDIS_REPLY_NIL)
		g->fill_key = NULL;		/* it is somebody else's */
	if (up)
		read_cached(rq, g, f.replies[1]);
	redis_flight_end(&f);
	return !up || g->fill_key != NULL;
}

/*
 * Of many who find an answer missing, one makes it and the others wait for it.
 * They do not wait for long: one who died making it holds nobody up.
 */
static void
fill_alone(struct req *rq, struct guard *g)
{
	const struct timespec pause = { 0, FILL_LOOK_US * 1000 };
	const char *key = fmt(rq, "fill:%s:%s", cache_key(rq), g->cache_tag);
	uint64_t start = now_us();

	for (;;) {
		g->fill_key = key;
		if (may_fill(rq, g) || g->cached_body != NULL || now_us() - start >= FILL_US)
			break;
		nanosleep(&pause, NULL);
	}
	if (g->cached_body != NULL)
		guard_give_up(rq, g);
}

void
guard_give_up(struct req *rq, const struct guard *g)
{
	struct redis_flight f = { 0 };

	if (g->fill_key == NULL)
		return;
	REDIS_ADD(&f, "DEL", g->fill_key);
	redis_fly(rq, &f);
	redis_flight_end(&f);
}

static const char *
session_key(struct req *rq, const char *session)
{
	return fmt(rq, "session:%s", session);
}

void
guard_ask(struct req *rq, struct guard *g)
{
	const struct endpoint *e = rq->entry->endpoint;
	struct redis_flight f = { 0 };
	struct claims claims;
	bool cache = e->cache.seconds > 0 && !rq->decided &&
	    (e->cache.private_for == ACCESS_UNSET || !req_is(rq, e->cache.private_for));
	bool up = false;
	int values;
	const struct kept *kept = cache ? kept_find(rq) : NULL;

	limits_of_class(rq, &claims);
	limits_ask(rq, &claims, &f);
	values = ask_values(&f, rq->session == NULL ? NULL : session_key(rq, rq->session),
	    cache ? tag_key(rq, e->cache.tag) : NULL,
	    cache && kept == NULL ? cache_key(rq) : NULL);
	if (claims.count > 0 || values > 0)
		up = redis_fly(rq, &f);
	/* The connection is free for other use while these are read. */
	limits_read(rq, &claims, up && claims.count > 0 ? f.replies[0] : NULL);
	if (up && values > 0 && is_list(f.replies[claims.count > 0], values))
		read_values(rq, g, f.replies[claims.count > 0], rq->session != NULL,
		    cache, kept);
	redis_flight_end(&f);
	if (g->cache_tag != NULL && g->cached_body == NULL && !rq->decided)
		fill_alone(rq, g);
	if (cache && up) {
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

	/* NX: a doubt raised since the question was asked has the last word. */
	REDIS_ADD(&f, "SET", session_key(rq, rq->session), "live", "EX", text(rq, SESSION_SECONDS), "NX");
	redis_fly(rq, &f);
	redis_flight_end(&f);
}

bool
guard_sessions_in_doubt(struct req *rq, const char *const *sessions, size_t n)
{
	static const char script[] = "for _, key in ipairs(KEYS) do"
	    " redis.call('SET', key, 'doubt', 'EX', ARGV[1]) end";
	const char **words = mem(rq, (n + 4) * sizeof(*words));

	words[0] = "EVAL";
	words[1] = script;
	words[2] = text(rq, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		words[3 + i] = session_key(rq, sessions[i]);
	words[3 + n] = text(rq, DOUBT_SECONDS);
	return redis_insist(rq, (int)n + 4, words);
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
	if (g->fill_key != NULL)
		REDIS_ADD(&f, "DEL", g->fill_key);
	redis_fly(rq, &f);
	redis_flight_end(&f);
}

/* A Redis that was there a moment ago is tried again; one that is known to be
 * away is not waited for with every write. */
static bool
tell(struct req *rq, int n, const char *const *words)
{
	struct redis_flight f = { 0 };
	bool asked, told;

	redis_add(&f, n, words, NULL);
	asked = f.count > 0;
	told = redis_fly(rq, &f) && f.replies[0]->type != REDIS_REPLY_ERROR;
	redis_flight_end(&f);
	return told || (asked && redis_insist(rq, n, words));
}

void
guard_purge(struct req *rq, const char *tags)
{
	/* Unlike any version before, even if Redis has forgotten those. */
	const char *version = fmt(rq, "%" PRIx64 "-%s", (uint64_t)wall_ms(), rq->span_id);
	const char *words[1 + 2 * MAX_TAGS] = { "MSET" };
	int count = 1;

	while (*(tags += strspn(tags, " ")) != '\0' && count < 2 * MAX_TAGS) {
		int n = (int)strcspn(tags, " ");

		words[count++] = tag_key(rq, fmt(rq, "%.*s", n, tags));
		words[count++] = version;
		tags += n;
	}
	if (count > 1 && !tell(rq, count, words))
		metric_add(&unpurged, 1);
}
