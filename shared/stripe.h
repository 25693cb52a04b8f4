/*
 * stripe.h -- the Stripe API, as far as the shop needs it.
 *
 * Every call is bounded in time, retried within that bound under one and the
 * same idempotency key, and not made at all while the circuit breaker is open.
 * STRIPE_API_BASE points it at the simulator; without, it is the real service.
 * Shapes and rules: https://docs.stripe.com/api, version STRIPE_VERSION.
 */
#ifndef STRIPE_H
#define STRIPE_H

#include "fn.h"

#include <cjson/cJSON.h>

#define STRIPE_VERSION "2026-08-26.dahlia"

enum stripe_outcome {
	STRIPE_OK,
	STRIPE_REFUSED,		/* it will say the same again */
	STRIPE_DENIED,		/* our key is not good: 401, 403 */
	STRIPE_AWAY		/* time out, 409, 429, 5xx: ask again later */
};

struct stripe_reply {
	enum stripe_outcome outcome;
	int status;		/* 0: no answer */
	const cJSON *body;	/* the object; NULL unless STRIPE_OK */
	const cJSON *error;	/* Stripe's error object, where there is one */
	const char *problem;	/* one line for a log or a timeline */
	bool replayed;		/* the stored answer of an earlier call */
};

/* A parameter of a form; a list ends with a NULL name. */
struct stripe_field { const char *name, *value; };

/* key: the idempotency key.  Never NULL: a POST must be repeatable. */
struct stripe_reply	 stripe_post(struct req *, const char *path, const char *key,
			    const struct stripe_field *);
struct stripe_reply	 stripe_get(struct req *, const char *path_and_query);

/* A member's string, or a number's text; NULL of anything else. */
const char		*stripe_text(const cJSON *object, const char *name);

/* Its "id" where that is one, safe to be part of a path; else NULL. */
const char		*stripe_id(const cJSON *object);

/* A whole, non-negative amount's digits; NULL of anything else. */
const char		*stripe_amount(const cJSON *object, const char *name);

/*
 * Whether one of the secrets (separated by commas) signed the body within
 * five minutes of now: https://docs.stripe.com/webhooks#verify-manually
 */
bool			 stripe_signature_is_good(const char *header, const char *body,
			    size_t n, const char *secrets, int64_t now);

#endif
