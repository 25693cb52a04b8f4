/*
 * job_shape.h -- the wire object `job`, as ops.job_json() in schema/ writes it,
 * and what an operator's act on one answers.
 */
#ifndef JOB_SHAPE_H
#define JOB_SHAPE_H

#include "fn.h"
#include "reason.h"

#define JOB_STATES	CHOICES("waiting", "running", "done", "dead", "cancelled")

extern const struct shape job_shape;

/* The job as it is now, once the act is on record: changed has it before and
 * after. */
struct status	 job_act_reply(struct req *, const char *act, const char *job,
		    const char *reason, const struct row *changed);

#endif
