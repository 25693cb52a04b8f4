/*
 * job_shape.h -- the wire object `job`, as ops.job_json() in schema/ writes it.
 */
#ifndef JOB_SHAPE_H
#define JOB_SHAPE_H

#include "fn.h"

#define JOB_STATES	CHOICES("waiting", "running", "done", "dead", "cancelled")

extern const struct shape job_shape;

#endif
