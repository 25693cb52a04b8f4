#include "limit.h"

#include "address.h"
#include "tally.h"

#include <string.h>

SETTING_INT(limit_general, "RATE_LIMIT_GENERAL", 300, 0, 1000000,
    "Requests a minute by one address, and by one user; 0 is no limit");
SETTING_INT(limit_auth, "RATE_LIMIT_AUTH", 30, 0, 1000000,
    "Requests to auth endpoints in 15 minutes by one address; 0 is no limit");
SETTING_INT(limit_payments, "RATE_LIMIT_PAYMENTS", 100, 0, 1000000,
    "Requests to payment endpoints in an hour by one user; 0 is no limit");
COUNTER(refusals, "rate_limited_total", "", "Requests refused for a limit");

/* The path is from the root of the repository, where builds run. */
__asm__(
	".pushsection .rodata\n"
	".local limits_script\n"
	"limits_script:\n"
	".incbin \"runtime/limit.lua\"\n"
	".byte 0\n"
	".popsection\n");

extern const char limits_script[] __attribute__((visibility("hidden")));

/* What Redis calls the script, once it has said so; till then nothing is. */
static char script_sha[41] = "0";

static void
claim(struct claims *c, const char *name, const char *who, int64_t allowed,
    int seconds, bool always)
{
	if (allowed > 0 && c->count < MAX_CLAIMS)
		c->list[c->count++] = (struct claim){ name, who, allowed, seconds, always };
}

void
limits_of_class(struct req *rq, struct claims *c)
{
	enum rate rate = rq->entry->endpoint->rate;
	const char *address;

	c->count = 0;
	if (rate == RATE_NONE)
		return;
	address = address_for_limits(rq);
	claim(c, "general", address, limit_general.number, 60, false);
	if (rq->user != NULL)
		claim(c, "user", rq->user, limit_general.number, 60, false);
	if (rate == RATE_AUTH)
		claim(c, "auth", address, limit_auth.number, 900, true);
	if (rate == RATE_PAYMENT)
		claim(c, "payment", rq->user == NULL ? address : rq->user,
		    limit_payments.number, 3600, false);
}

static const char *
key_of(struct req *rq, const char *name, const char *who)
{
	return fmt(rq, "limit:%s:%s", name, who);
}

static void
add_script(struct req *rq, const struct claims *c, struct redis_flight *f,
    const char *command, const char *script)
{
	const char *words[3 + 3 * MAX_CLAIMS] = { command, script, text(rq, (int64_t)c->count) };
	const char **at = words + 3;

	for (size_t i = 0; i < c->count; i++)
		*at++ = key_of(rq, c->list[i].name, c->list[i].who);
	for (size_t i = 0; i < c->count; i++) {
		*at++ = text(rq, c->list[i].allowed);
		*at++ = text(rq, (int64_t)c->list[i].seconds * 1000);
	}
	redis_add(f, (int)(at - words), words, NULL);
}

void
limits_ask(struct req *rq, const struct claims *c, struct redis_flight *f)
{
	if (c->count > 0)
		add_script(rq, c, f, "EVALSHA", script_sha);
}

/* What is left, where no other limit has left this request less; -1 refuses. */
static void
tell(struct req *rq, const struct claim *c, int64_t left, int64_t wait_ms)
{
	if (rq->limit_allowed == 0 || left < rq->limit_left) {
		rq->limit_allowed = c->allowed;
		rq->limit_left = left < 0 ? 0 : left;
		rq->limit_reset_s = (wait_ms + 999) / 1000;
	}
	if (left >= 0)
		return;
	metric_add(&refusals, 1);
	reply_header(rq, "Retry-After", text(rq, rq->limit_reset_s));
	fail(rq, ERR_RATE_LIMITED);
}

/*
 * Without Redis: what has to be limited always is counted here.  Nothing is
 * taken of any where one has nothing left.
 */
static void
count_here(struct req *rq, const struct claims *c)
{
	struct tally *tallies[MAX_CLAIMS];
	const struct claim *refused = NULL;
	int64_t wait = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct claim *l = &c->list[i];

		tallies[i] = !l->always ? NULL
		    : tally_of(key_of(rq, l->name, l->who), l->seconds);
		if (tallies[i] != NULL && tallies[i]->count >= l->allowed &&
		    tally_wait_ms(tallies[i]) > wait) {
			refused = l;
			wait = tally_wait_ms(tallies[i]);
		}
	}
	if (refused != NULL) {
		tell(rq, refused, -1, wait);
		return;
	}
	for (size_t i = 0; i < c->count; i++)
		if (tallies[i] != NULL)
			tell(rq, &c->list[i], c->list[i].allowed - ++tallies[i]->count,
			    tally_wait_ms(tallies[i]));
}

static void
read_answer(struct req *rq, const struct claims *c, const redisReply *r)
{
	size_t tightest;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 3)
		return;
	tightest = (size_t)r->element[0]->integer - 1;
	if (tightest < c->count)
		tell(rq, &c->list[tightest], r->element[1]->integer, r->element[2]->integer);
}

/* Redis did not have the script, or has been restarted since. */
static void
ask_in_full(struct req *rq, const struct claims *c)
{
	struct redis_flight f = { 0 };

	add_script(rq, c, &f, "EVAL", limits_script);
	REDIS_ADD(&f, "SCRIPT", "LOAD", limits_script);
	if (redis_fly(rq, &f)) {
		read_answer(rq, c, f.replies[0]);
		if (f.replies[1]->type == REDIS_REPLY_STRING &&
		    f.replies[1]->len == sizeof(script_sha) - 1)
			memcpy(script_sha, f.replies[1]->str, sizeof(script_sha));
	} else {
		count_here(rq, c);
	}
	redis_flight_end(&f);
}

void
limits_read(struct req *rq, const struct claims *c, const redisReply *r)
{
	if (r == NULL)
		count_here(rq, c);
	else if (r->type == REDIS_REPLY_ERROR)
		ask_in_full(rq, c);
	else
		read_answer(rq, c, r);
}

/* A handler that is run again has them already. */
static bool
has_taken(const struct req *rq, const struct limit *l)
{
	for (size_t i = 0; i < rq->taken_count; i++)
		if (rq->taken[i] == l)
			return true;
	return false;
}

bool
limit_take_(struct req *rq, const void *const *pairs, int n)
{
	struct redis_flight f = { 0 };
	struct claims c = { .count = 0 };

	if (req_failed(rq))
		return false;
	for (int i = 0; i + 1 < n; i += 2) {
		const struct limit *l = pairs[i];

		if (pairs[i + 1] == NULL || has_taken(rq, l))
			continue;
		claim(&c, l->name, pairs[i + 1], l->allowed->number, l->seconds, true);
		if (rq->taken_count < MAX_TAKEN)
			rq->taken[rq->taken_count++] = l;
	}
	if (c.count == 0)
		return true;
	limits_ask(rq, &c, &f);
	limits_read(rq, &c, redis_fly(rq, &f) ? f.replies[0] : NULL);
	redis_flight_end(&f);
	return !req_failed(rq);
}

void
limit_clear(struct req *rq, const struct limit *l, const char *who)
{
	const char *key = key_of(rq, l->name, who);

	tally_forget(key);
	redis_forget(rq, key);
}

const char *
limit_here(struct req *rq, const char *what)
{
	const char *address = address_for_limits(rq);

	return what == NULL ? address : fmt(rq, "%s:%s", address, what);
}
