#include "hashing.h"
#include "hash_slot.h"
#include "password.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

SETTING_INT(cost, "BCRYPT_COST", 12, 4, 16,
    "The cost of password hashes: each step doubles the work");
HISTOGRAM(hash_seconds, "password_hash_duration_seconds", "",
    "Time spent on one bcrypt hash");
HISTOGRAM(wait_seconds, "password_hash_wait_seconds", "",
    "Time spent waiting for a turn to hash");
COUNTER(refused, "password_hash_refused_total", "",
    "Requests refused because no turn to hash came in time");

/* A third of the weight of whoever serves the shop: hashing waits for them, and
 * is not starved by them. */
enum { NICENESS = 5, STACK = 256 << 10 };

/* hash NULL: make one; otherwise compare with it, "" being nobody's. */
struct work { const char *password, *hash; char made[64]; bool good; };

static void
do_work(struct work *w)
{
	w->good = w->hash == NULL ? password_hash(w->password, (int)cost.number, w->made)
	    : password_matches(w->password, w->hash, (int)cost.number);
}

/* On Linux a thread has a niceness of its own, which it can raise without
 * having to be able to lower it again. */
static void *
hash_nicely(void *work)
{
	int now = nice(NICENESS);

	(void)now;
	do_work(work);
	return NULL;
}

static void
in_a_thread(struct work *w)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	bool started;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	/* Signals are the worker's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&thread, &attributes, hash_nicely, w) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (started)
		pthread_join(thread, NULL);
	else
		do_work(w);
}

/* In its turn.  False: the request is refused. */
static bool
run(struct req *rq, struct work *w)
{
	uint64_t start = now_us(), turn;
	int slot;

	if (req_failed(rq))
		return false;
	slot = hash_slot_take();
	turn = now_us();
	metric_observe_us(&wait_seconds, turn - start);
	if (slot == NO_SLOT) {
		metric_add(&refused, 1);
		reply_header(rq, "Retry-After", "2");
		fail_text(rq, ERR_UNAVAILABLE, "Too many people sign in at once; try again shortly");
		return false;
	}
	in_a_thread(w);
	hash_slot_give(slot);
	metric_observe_us(&hash_seconds, now_us() - turn);
	return true;
}

const char *
hash_new_password(struct req *rq, const char *password)
{
	struct work w = { .password = password };

	if (!run(rq, &w))
		return NULL;
	if (!w.good) {
		log_line(LOG_ERROR, "libcrypt cannot hash", NULL);
		fail(rq, ERR_INTERNAL);
		return NULL;
	}
	return fmt(rq, "%s", w.made);
}

bool
hash_matches(struct req *rq, const char *password, const char *hash)
{
	struct work w = { .password = password, .hash = hash == NULL ? "" : hash };

	return run(rq, &w) && w.good;
}

bool
hash_is_dated(const char *hash)
{
	return password_cost(hash) < (int)cost.number;
}
