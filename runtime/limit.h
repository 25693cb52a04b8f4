/*
 * limit.h -- how much one client may ask.
 *
 * Counted in Redis by limit.lua.  While Redis is away the limits that guard
 * passwords, those of RATE_AUTH and of limit_take(), are each process's own;
 * all others are open.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include "redis.h"

enum { MAX_CLAIMS = 4 };

/* One of a limit, wanted. */
struct claim {
	const char *name, *who;
	int64_t allowed;
	int seconds;
	bool always;		/* also while Redis is away */
};
struct claims { struct claim list[MAX_CLAIMS]; size_t count; };

/* Those of the endpoint's rate class; none where that is RATE_NONE. */
void	 limits_of_class(struct req *, struct claims *);
/* The question, as one command of a flight; none for no claims. */
void	 limits_ask(struct req *, const struct claims *, struct redis_flight *);
/* The answer, NULL while Redis is away: refuses when there is none left. */
void	 limits_read(struct req *, const struct claims *, const redisReply *);

#endif
