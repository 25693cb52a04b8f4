/*
 * sessions.h -- ending sessions so that every function knows by its very next
 * request.
 *
 * Redis remembers for some seconds that a session lives (runtime/guard.c).  So
 * before the commit that ends a session it is put in doubt there: from then on
 * everybody asks the database about it, and nobody's earlier answer can be
 * remembered any more.  Doing that first leaves no gap for a process to die
 * in, and a doubt about a session that was not ended after all costs a query.
 *
 * What remains: where this process cannot reach a Redis that others can, they
 * believe what it remembers for up to those 15 seconds.  It is tried
 * again on a new connection, then logged and counted, and tried once more
 * after the answer.
 * A Redis that is down, or has come back empty, remembers nothing.  One that
 * forgets its last writes (fails over, or restarts from a file) has the same
 * 15 seconds.
 */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "fn.h"

/* In the transaction that ends them: rows with a column "session", null being
 * none.  An endpoint that is COMMIT_EACH calls db_together() before it. */
void		 sessions_end(struct req *, const struct rows *ended);

/* The client's User-Agent as it is kept with a session; NULL for none. */
const char	*session_agent(struct req *);

#endif
