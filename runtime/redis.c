#include "peer.h"
#include "redis.h"
#include "span.h"

#include <string.h>

SETTING_SECRET_OPTIONAL(redis_url, "REDIS_URL",
    "Redis: unix:///path, or redis:// or (by TLS) rediss://[user:password@]host[:port][/database];"
    " without it nothing is cached and limits are each process's own");
HISTOGRAM(redis_seconds, "redis_duration_seconds", "",
    "Time a request waits for a round trip to Redis");
COUNTER(redis_failures, "redis_failures_total", "",
    "Round trips to Redis that failed");

/* A failed try is followed by 20 times as long without one, so that a Redis
 * which hangs costs a worker a twentieth of its time; at least by a second. */
enum { BACKOFF_US = 1000000, BACKOFF_TIMES = 20 };

static struct redis_link *connection;
static uint64_t retry_at_us;

void
redis_disconnect(void)
{
	redis_link_close(connection);
	connection = NULL;
}

static void
away(const char *problem, uint64_t since_us)
{
	uint64_t now = now_us(), backoff = (now - since_us) * BACKOFF_TIMES;


	log_line(LOG_WARN, "redis is away", "problem", problem, NULL);
	metric_add(&redis_failures, 1);
	redis_disconnect();
	retry_at_us = now + (backoff < BACKOFF_US ? BACKOFF_US : backoff);
}

struct redis_link *
redis_subscribe(const char *channel)
{
	const char *problem, *words[] = { "SUBSCRIBE", channel };
	struct redis_link *link = redis_url.text == NULL ? NULL :
	    redis_link_open(redis_url.text, &problem);
	redisReply *r = NULL;
	bool good;

	if (link == NULL)
		return NULL;
	redis_link_add(link, 2, words, NULL);
	good = redis_link_reply(link, &r) && r->type != REDIS_REPLY_ERROR;
	if (r != NULL)
		freeReplyObject(r);
	if (good)
		return link;
	redis_link_close(link);
	return NULL;
}

static bool
ensure_connection(void)
{
	uint64_t start = now_us();
	const char *problem;

	if (connection != NULL && peer_is_gone(redis_link_fd(connection)))
		redis_disconnect();
	if (connection != NULL)
		return true;
	if (redis_url.text == NULL || start < retry_at_us)
		return false;
	connection = redis_link_open(redis_url.text, &problem);
	if (connection == NULL)
		away(problem, start);
	return connection != NULL;
}

void
redis_add(struct redis_flight *f, int n, const char *const *words, const size_t *lengths)
{
	f->lost = f->lost || f->count == REDIS_MAX_COMMANDS ||
	    (f->count == 0 && !ensure_connection()) || connection == NULL;
	if (f->lost)
		return;
	redis_link_add(connection, n, words, lengths);
	f->count++;
}

/* Loading, out of memory, read-only: as good as away.  That it has no such
 * script is for who asked for it. */
static bool
is_refusal(const redisReply *r)
{
	return r->type == REDIS_REPLY_ERROR && strncmp(r->str, "NOSCRIPT", 8) != 0;
}

bool
redis_fly(struct req *rq, struct redis_flight *f)
{
	uint64_t start = now_us();
	bool good = f->count > 0 && !f->lost;

	for (int i = 0; i < f->count; i++) {
		if (good && !redis_link_reply(connection, &f->replies[i])) {
			away(redis_link_problem(connection), start);
			good = false;
		}
		if (good && is_refusal(f->replies[i])) {
			away(f->replies[i]->str, start);
			good = false;
		}
	}
	if (!good)
		redis_flight_end(f);
	rq->redis_us += now_us() - start;
	metric_observe_us(&redis_seconds, now_us() - start);
	span_note(rq, start, SPAN_CLIENT, "redis", good ? NULL : "no answer",
	    "db.system.name", "redis", NULL);
	return good;
}

void
redis_flight_end(struct redis_flight *f)
{
	for (int i = 0; i < f->count; i++) {
		if (f->replies[i] != NULL)
			freeReplyObject(f->replies[i]);
		f->replies[i] = NULL;
	}
	f->count = 0;
}

bool
redis_insist(struct req *rq, int n, const char *const *words)
{
	bool told = false;

	for (int tries = 0; tries < 2 && !told; tries++) {
		struct redis_flight f = { 0 };

		retry_at_us = 0;
		redis_add(&f, n, words, NULL);
		told = redis_fly(rq, &f) && f.replies[0]->type != REDIS_REPLY_ERROR;
		redis_flight_end(&f);
		if (!told)	/* perhaps it is a replica by now */
			redis_disconnect();
	}
	return told || redis_url.text == NULL;
}

static redisReply *
fly_one(struct req *rq, struct redis_flight *f)
{
	return redis_fly(rq, f) ? f->replies[0] : NULL;
}

const char *
redis_get(struct req *rq, const char *key)
{
	struct redis_flight f = { 0 };
	const redisReply *r;
	const char *value = NULL;

	REDIS_ADD(&f, "GET", key);
	r = fly_one(rq, &f);
	if (r != NULL && r->type == REDIS_REPLY_STRING)
		value = arena_copy(&rq->arena, r->str, r->len);
	redis_flight_end(&f);
	return value;
}

void
redis_set(struct req *rq, const char *key, const char *value, int seconds)
{
	struct redis_flight f = { 0 };

	REDIS_ADD(&f, "SET", key, value, "EX", text(rq, seconds));
	fly_one(rq, &f);
	redis_flight_end(&f);
}

void
redis_forget(struct req *rq, const char *key)
{
	struct redis_flight f = { 0 };

	REDIS_ADD(&f, "DEL", key);
	fly_one(rq, &f);
	redis_flight_end(&f);
}

bool
redis_is_up(struct req *rq)
{
	struct redis_flight f = { 0 };
	bool up;

	retry_at_us = 0;
	REDIS_ADD(&f, "PING");
	up = fly_one(rq, &f) != NULL;
	redis_flight_end(&f);
	return up;
}
