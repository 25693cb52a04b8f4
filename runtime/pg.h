/*
 * pg.h -- the connection to Postgres, and flights of statements over it.
 *
 * libpq's pipeline mode: everything that is added to a flight leaves in one
 * write and costs one round trip.  A statement is prepared the first time it
 * flies on a connection, in the same flight.
 */
#ifndef PG_H
#define PG_H

#include "fn.h"

#include <libpq-fe.h>

enum { PG_MAX_PARTS = 8 };

struct pg_flight {
	size_t count;
	bool sent;			/* false: a part could not be sent */
	const struct query *queries[PG_MAX_PARTS];	/* NULL of a command */
	bool prepares[PG_MAX_PARTS];
	PGresult *results[PG_MAX_PARTS];		/* after pg_fly() */
};

/* A usable connection, or false with *problem: NULL when Postgres is known to
 * be away and was not asked. */
bool	 pg_ready(const char **problem);
bool	 pg_is_connected(void);
void	 pg_disconnect(void);
void	 pg_forget_plans(void);		/* with the connection that has them */
void	 pg_expect_back(void);		/* ask at the next chance, known away or not */

void	 pg_begin(struct pg_flight *);
void	 pg_add_command(struct pg_flight *, const char *sql);
void	 pg_add_statement(struct pg_flight *, const struct query *,
	    const char *const *arguments, int n);
/* Sends, and fills results; their owner is the caller.  False with *problem:
 * the connection is lost, and with it every answer. */
bool	 pg_fly(struct pg_flight *, const char **problem);

#endif
