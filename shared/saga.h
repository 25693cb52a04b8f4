/*
 * saga.h -- carries an order from placed to paid, or undoes it; and money back.
 *
 *   reserve_stock -> create_intent -> await_payment -> done
 *         ^               |                |
 *         +---------------+----------------+   compensation, in reverse
 *
 *   refund_payment -> await_refund -> done
 *
 * Its files own the graph and all policy: steps, delays, how long to go on.
 * The transitions are SQL functions (schema/005_orders.sql, 100_refunds.sql),
 * each one statement that checks the saga's epoch, so that a driver that has
 * lost its lease changes nothing.  No transaction is open during a call to
 * Stripe, and each call carries a key derived from the saga, so that repeating
 * it after a crash has no second effect.
 */
#ifndef SAGA_H
#define SAGA_H

#include "fn.h"

/* Longer than one step may take: calls to Stripe are bounded far below. */
enum { SAGA_LEASE_S = 20 };

/* A saga this process holds the lease of. */
struct saga {
	const char *id, *order, *kind, *state, *step, *epoch, *nonce, *generation;
	const char *intent, *amount, *currency, *subject, *user;
	/* Of a refund, which is the subject: Stripe's id of it, ... */
	const char *refund, *refund_reason, *refund_status;
	int64_t version, attempt, age_s, tried_s, seconds_left;
	bool past_deadline;
	/* Where a driver has to answer with the order, the query to checkpoint the
	 * intent with: orders.saga_intent_created_v1()'s arguments, and a column
	 * "answer" beside the outcome, which is kept here.  One round trip less. */
	const struct query *checkpoint;
	const char *answer;
};

/* Of a row of orders.saga_work; NULL of NULL. */
struct saga	*saga_of(struct req *, const struct row *);

/*
 * Goes on until the saga waits, is finished or has to be tried again later.
 * Returns what became of it, for the caller's account: "waiting", "paid",
 * "compensated", "retry", "fenced", ...
 */
const char	*saga_drive(struct req *, struct saga *);

/* Takes over the saga of an order nobody is at work on, and drives it. */
const char	*saga_drive_order(struct req *, const char *order);

/* While somebody else undoes the order: waits a little, to answer with how it
 * ended. */
void		 saga_wait_undone(struct req *, const char *order);

/* Looks the order's intent up at Stripe and applies what it says.  NULL when
 * Stripe does not answer. */
const char	*saga_sync(struct req *, const char *order, const char *intent);

/* What saga_sweep() tells of each saga. */
extern const struct shape saga_run_shape;

/* Claims up to n due sagas and drives each; answers with what became of them. */
struct status	 saga_sweep(struct req *, int n, bool expired);

#endif
