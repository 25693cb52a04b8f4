/*
 * jobs.h -- runs what ops.job_add() has queued (schema/006_jobs.sql).
 *
 * A job runs at least once: when its process dies, or its report is lost, it
 * runs again.  A process holds one job at a time, and does not begin what it
 * might not end within the lease.  No transaction is open while a job runs.
 */
#ifndef JOBS_H
#define JOBS_H

#include "fn.h"

/* Longer than any job may take. */
enum { JOB_LEASE_S = 60 };

struct job {
	const char *id, *kind, *payload, *epoch, *created_us;
	const char *trace;	/* the traceparent of what it is done for, or NULL */
	int64_t attempt;
};

enum job_outcome {
	JOB_DONE,
	JOB_RETRY,		/* this one, later */
	JOB_AWAY,		/* so, and others of its kind would fare alike now */
	JOB_DEAD		/* for good */
};

/* problem: one line for an operator. */
struct job_result { enum job_outcome outcome; const char *problem; };

struct job_kind {
	const char *name;
	int64_t attempts;	/* then it is dead */
	int at_once;		/* in all processes together */
	struct job_result (*run)(struct req *, const struct job *);
	void (*end)(void);	/* of a sweep; may be NULL */
};

/* What jobs_sweep() tells of each job. */
extern const struct shape job_run_shape;

/* Runs what is due of these kinds, up to a name of NULL, within bounds of
 * time and number; answers with what became of each. */
struct status	 jobs_sweep(struct req *, const struct job_kind *);

#endif
