/*
 * stripe_walk.h -- goes through one of Stripe's lists, newest first, down to
 * where the last walk began.  A run goes as far as its time lasts and the next
 * one goes on from there: payments.walk keeps the place.
 */
#ifndef STRIPE_WALK_H
#define STRIPE_WALK_H

#include "stripe.h"

struct stripe_walk {
	const char *name;		/* its row in payments.walk */
	const char *list;		/* its path, with a query */
	int behind_s;			/* what is younger is left out */
	/* Each page of a list; what it allocates is gone after it. */
	void (*page)(struct req *, const cJSON *data, void *to);
};

/* False: not to the end, or somebody else is at it. */
bool	 stripe_walk(struct req *, const struct stripe_walk *, uint64_t end_us, void *to);

/* Oldest first: for (o = stripe_oldest(list); o != NULL; o = stripe_newer(list, o)) */
const cJSON	*stripe_oldest(const cJSON *list);
const cJSON	*stripe_newer(const cJSON *list, const cJSON *of);

#endif
