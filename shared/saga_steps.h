/*
 * saga_steps.h -- what the driver and the steps of the sagas share.  A step
 * returns what became of the saga, or NULL: go on with the state it is in now.
 */
#ifndef SAGA_STEPS_H
#define SAGA_STEPS_H

#include "saga.h"
#include "stripe.h"

enum { SAGA_KEY_LIFE_S = 23 * 3600 };	/* Stripe may forget a key after 24 h */

const char	*saga_create_intent(struct req *, struct saga *);
const char	*saga_await_payment(struct req *, struct saga *);
const char	*saga_compensate(struct req *, struct saga *);
const char	*saga_refund(struct req *, struct saga *);
const char	*saga_await_refund(struct req *, struct saga *);

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
