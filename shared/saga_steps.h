/*
 * saga_steps.h -- what the driver and the steps of the sagas share.  A step
 * returns what became of the saga, or NULL: go on with the state it is in now.
 */
#ifndef SAGA_STEPS_H
#define SAGA_STEPS_H

#include "saga.h"
#include "stripe.h"

enum { SAGA_KEY_LIFE_S = 23 * 3600 };	/* Stripe may forget a key after 24 h */

/*
 * Every step of every saga, once: what drives it, what it is measured by and
 * what a sweeper claims all follow from here.
 *
 *   X(kind, version, step, state, what acts there)
 */
#define SAGA_STEPS(X)							\
	X(order,  1, create_intent,  running,      saga_create_intent)	\
	X(order,  1, await_payment,  waiting,      saga_await_payment)	\
	X(order,  1, create_intent,  compensating, saga_compensate)	\
	X(refund, 1, refund_payment, running,      saga_refund)		\
	X(refund, 1, await_refund,   waiting,      saga_await_refund)

#define SAGA_STEP_IS(kind, version, step, state, act)			\
	const char *act(struct req *, struct saga *);
SAGA_STEPS(SAGA_STEP_IS)

#define SAGA_LABELS(kind, step, state)					\
	"kind=\"" #kind "\",state=\"" #state "\",step=\"" #step "\""

/* A transition's outcome, counted where it was fenced. */
const char	*saga_outcome(const struct row *);
/* Stops for good: an operator has to look. */
const char	*saga_die(struct req *, const struct saga *, const char *problem);
/* The same again later; with new_key under another idempotency key. */
const char	*saga_retry(struct req *, const struct saga *, const struct stripe_reply *,
		    bool new_key);
/* The idempotency key of what the saga asks of Stripe. */
const char	*saga_key(struct req *, const struct saga *, const char *what);

#endif
