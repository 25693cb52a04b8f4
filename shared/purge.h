/*
 * purge.h -- deleting what has run out, a bounded batch at a time, so that no
 * lock is held for long and the work of a run is bounded too.
 */
#ifndef PURGE_H
#define PURGE_H

#include "fn.h"

/*
 * Runs the query, whose argument is the most rows to delete of each kind,
 * until it deletes less, the time is over or enough is deleted.  It answers a
 * row with a count for each kind; the answer is their sums, and whether there
 * is more.  The endpoint is COMMIT_EACH.
 */
struct status	 purge_in_batches(struct req *, const struct query *,
		    const char *const *kinds);

#endif
