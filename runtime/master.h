/*
 * master.h -- the prefork master of a function binary.
 */
#ifndef MASTER_H
#define MASTER_H

/*
 * Keeps that many children running worker(slot) and, where scheduler is not
 * NULL, one running scheduler(); there is no exec, so they share what start-up
 * left in memory.  Returns the exit status of the process when SIGTERM has
 * been obeyed (0) or the children die as soon as they start (1).
 *
 * SIGHUP replaces the children one at a time.  A child that returns 0 has
 * retired and is replaced at once.
 */
int	master_run(int workers, int (*worker)(int slot), int (*scheduler)(void));

#endif
