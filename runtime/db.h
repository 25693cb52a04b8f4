/*
 * db.h -- Postgres, for the runtime.  Handlers use db_one() and friends.
 *
 * Everything is sent in libpq's pipeline mode: BEGIN, the claim of an
 * idempotency key, a statement's first PREPARE and the statement itself leave
 * in one write and cost one round trip.
 *
 * These are weak where dispatch.c uses them: a binary whose handler makes no
 * query is linked without libpq.
 */
#ifndef DB_H
#define DB_H

#include "request.h"

/* Starts a transaction with the next statement; or, with each, none. */
void	 db_begin(struct req *, bool each);
/* Commits, with the answer kept under the idempotency key if one was claimed.
 * False: nothing was committed, and the reply is a refusal. */
bool	 db_commit(struct req *);
void	 db_rollback(void);
/* Whether the handler failed only for bad luck and may run again. */
bool	 db_should_rerun(struct req *);
/* Looks under the request's idempotency key.  True: the reply is the answer
 * kept there, or a refusal.  False: the handler is to run, and rq->reference
 * names what an earlier, dead try had made, if there was one. */
bool	 db_recall(struct req *);
/* Claims the key of an event for a handler whose statements commit by
 * themselves.  False: a twin has it, or it could not be claimed. */
bool	 db_claim_event(struct req *);
/* Whether the handler failed only because a twin claimed the key meanwhile. */
bool	 db_key_was_taken(void);
/* Keeps an answer that was made after the commit; where another was kept
 * before, that one becomes the reply. */
void	 db_keep_answer(struct req *);
void	 db_release(struct req *);	/* lets the request's results go */
void	 db_disconnect(void);
bool	 db_ping(struct req *);

#endif
