/*
 * operator_act.h -- what an operator's act on a job or an event answers, once it
 * is on record.
 */
#ifndef OPERATOR_ACT_H
#define OPERATOR_ACT_H

#include "fn.h"
#include "reason.h"

#define REQUEUED_FIELDS							\
	OUT(requeued, INT,  "How many are taken up again", .example = "3"), \
	OUT(more,     BOOL, "Whether there may be more: ask again", .example = "false")

enum { REQUEUE_MOST = 1000 };	/* at a time: locks are held until all are done */

/* "job" 7 was told to "retry".  changed has the object as it is now and, for the
 * audit log, before and after; NULL when there is none. */
struct status	 operator_act_reply(struct req *, const char *object, const char *act,
		    const char *id, const char *reason, const struct row *changed);

/* So many dead "jobs", those whose `by` is `those` (all: NULL), were requeued. */
struct status	 operator_requeue_reply(struct req *, const char *objects, const char *by,
		    const char *those, const char *reason, int64_t requeued);

#endif
