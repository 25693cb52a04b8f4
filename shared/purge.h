/*
 * purge.h -- deleting what has run out, a bounded batch at a time, so that no
 * lock is held for long and the work of a run is bounded too.
 */
#ifndef PURGE_H
#define PURGE_H

#include "fn.h"

/*
 * Deletes batch after batch, until one is less than `most` of each kind, the time
 * is over or enough is deleted.  A batch tells in a row how many there were of each
 * kind; the answer is their sums, and whether there is more.  The endpoint is
 * COMMIT_EACH.
 */
typedef const struct row *purge_batch(struct req *, const char *most);
struct status	 purge_in_batches(struct req *, purge_batch *, const char *const *kinds);

#endif
