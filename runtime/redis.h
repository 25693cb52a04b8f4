/*
 * redis.h -- Redis, for the runtime: many commands, one round trip.
 *
 * Nothing is only here.  Whatever goes wrong, the connection is dropped, the
 * answers are NULL, and another attempt is made a second later, or later still
 * where trying takes long.
 */
#ifndef REDIS_H
#define REDIS_H

#include "redis_link.h"
#include "request.h"

enum { REDIS_MAX_COMMANDS = 8 };

struct redis_flight {
	int count;
	bool lost;		/* a command could not be added: none is sent */
	redisReply *replies[REDIS_MAX_COMMANDS];	/* after redis_fly() */
};

/* Adds a command of n words; does nothing while Redis is away. */
void	 redis_add(struct redis_flight *, int n, const char *const *words, const size_t *lengths);
/* Sends them all and waits.  False: Redis is away, and every reply NULL. */
bool	 redis_fly(struct req *, struct redis_flight *);
void	 redis_flight_end(struct redis_flight *);	/* lets the replies go */
/* One command that must arrive: once more, on a new connection and whatever the
 * last failure was, where it did not.  False: nor did that. */
bool	 redis_insist(struct req *, int n, const char *const *words);
void	 redis_disconnect(void);
/* A connection of its own that hears what is published there; NULL: Redis is
 * away.  Its owner is the caller. */
struct redis_link *redis_subscribe(const char *channel);

#define REDIS_ADD(flight, ...)						\
	redis_add(flight, (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)), \
	    (const char *const[]){ __VA_ARGS__ }, NULL)

#endif
