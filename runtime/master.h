/*
 * master.h -- the prefork master of a function binary.
 */
#ifndef MASTER_H
#define MASTER_H

#include <stdint.h>

struct crew {
	int	workers;
	int	(*worker)(int slot);
	int	(*scheduler)(void);	/* NULL: none */
	int	(*exporter)(void);	/* NULL: none */
	int	helpers;
	int	(*helper)(void);
	/* When the workers have had nothing to do since, in milliseconds of
	 * keeper_now(), and for how long they may; NULL: for ever. */
	int64_t	(*idle_since)(void);
	int64_t	 patience_ms;
	/* Answers a connection that has waited in vain for a worker. */
	void	(*turn_away)(int fd);
};

/* Has deaths of workers counted, and who was turned away; before metrics_open(). */
void	master_observe(const char *function);

/*
 * Keeps a crew of children running; there is no exec, so they share what
 * start-up left in memory.  Returns the exit status of the process when
 * SIGTERM has been obeyed or there has been nothing to do for too long (0), or
 * when the children die as soon as they start (1).
 *
 * SIGHUP replaces the children one at a time.  A child that returns 0 has
 * retired and is replaced at once.
 */
int	master_run(const struct crew *);

#endif
