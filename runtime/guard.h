/*
 * guard.h -- everything that is asked of Redis before a handler runs, in one
 * round trip: the rate limits, whether the session lives, and the cached
 * answer.
 */
#ifndef GUARD_H
#define GUARD_H

#include "request.h"

struct guard {
	bool session_is_live;		/* false: ask the database */
	const char *cache_tag;		/* version to fill under; NULL: do not fill */
	const char *cached_etag, *cached_body;
	size_t cached_length;
	const char *fill_key;		/* this request makes the answer for all */
};

/* Asks; refuses when a limit has been reached. */
void	 guard_ask(struct req *, struct guard *);
/* Remembers for a few seconds that a session lives. */
void	 guard_session_is_live(struct req *);
/* For a while nobody remembers that these live, and everybody asks the database.
 * False: Redis could not be told. */
bool	 guard_sessions_in_doubt(struct req *, const char *const *sessions, size_t n);
/* No answer comes of it after all: somebody else may try. */
void	 guard_give_up(struct req *, const struct guard *);
/* Keeps the answer for the endpoint's cache seconds. */
void	 guard_fill(struct req *, const struct guard *, const char *etag);
/* Makes everything cached under these tags, separated by spaces, old. */
void	 guard_purge(struct req *, const char *tags);

#endif
