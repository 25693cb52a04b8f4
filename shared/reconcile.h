/*
 * reconcile.h -- finds what webhooks have lost, and where Stripe's books and
 * ours differ.
 *
 *   events    that could not be delivered are applied as if they had been, and
 *             a minute later those that Stripe believes were
 *   orders    that stay unpaid are looked up at Stripe
 *   intents   of Stripe's list are held against our books, when they are new
 *             and once more when they are a day old; a second one for an order
 *             that has its own is cancelled before anybody pays it
 *   drift     that was found earlier is looked at again
 *
 * The comparing, and what follows from it, is payments.intent_compare() in
 * schema/.  Every list is gone through by one process at a time, and all that
 * is done is done once, so runs may overlap and die.
 */
#ifndef RECONCILE_H
#define RECONCILE_H

#include "fn.h"

struct reconciled {
	int64_t events, events_applied, orders, intents, intents_applied, orphans, drift;
	bool stock_moved;
};

/* False: there is more to do than fitted in, or Stripe does not answer. */
bool	 reconcile(struct req *, uint64_t end_us, struct reconciled *);

#endif
