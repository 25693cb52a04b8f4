/*
 * crowd.h -- how many may wait.
 *
 * All workers of a function take requests from one listening socket; who finds
 * them busy waits in its queue.  A queue that only grows serves nobody: when a
 * request's turn comes its client has given up.  So while all workers are busy
 * their master looks, ten times a second, at how many wait.  What for a second has
 * been more than FN_QUEUE, and more than the workers take up in a second, is answered
 * 503, those first who have waited longest.
 *
 * A function that is not crowded pays for this with a few stores a request.
 */
#ifndef CROWD_H
#define CROWD_H

#include <stdbool.h>
#include <stdint.h>

enum { CROWD_LOOK_MS = 100 };

/* Before the workers are forked, of whom each has a slot below that number. */
bool	 crowd_open(int workers);

/* A worker has taken a request, and is free again.  The first tells the master,
 * by SIGUSR1, when nobody is left to take the next and it does not know yet. */
void	 crowd_take(int slot);
void	 crowd_free(int slot);

/* The master has been told, and will look in CROWD_LOOK_MS. */
void	 crowd_watch(void);
/* It looks, and has turn_away(fd) answer and close each connection that waits in
 * vain.  False: no need to look again until it is told. */
bool	 crowd_look(void (*turn_away)(int fd));

#endif
