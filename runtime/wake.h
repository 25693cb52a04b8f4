/*
 * wake.h -- how whoever waits for work is woken when there is some.
 *
 * A SQL function that has added work says so with ops.wake('jobs'): a notice of
 * SQLSTATE SK002 on the writer's connection, without a round trip.  When the
 * writer has committed and answered, it publishes the topic in Redis, and the
 * schedulers of the endpoints that are .woken_by it run them at once.
 *
 * So an endpoint that is woken need not look for work in vain: as long as its
 * scheduler listens, it looks only now and then.  What Redis has lost, or nobody
 * has said, costs no more than that.
 */
#ifndef WAKE_H
#define WAKE_H

#include "request.h"

/* How often a listening scheduler looks without having been woken. */
enum { WAKE_POLL_S = 30 };

/* The writer's side.  A topic is a constant of ours: nothing else is noted. */
void	 wake_note(const char *topic);
/* Publishes what was noted. */
void	 wake_others(struct req *);

/* The scheduler's side: the descriptor to wait at, or -1 while nothing can be
 * heard.  *anew: it is a new one, and what was said before it is lost. */
int	 wake_listen(bool *anew);
/* Takes what was heard; calls for each topic. */
void	 wake_hear(void (*heard)(const char *topic, void *), void *);
void	 wake_stop_listening(void);

#endif
