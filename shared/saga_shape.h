/*
 * saga_shape.h -- the wire object `saga`, as orders.saga_json() in schema/
 * writes it, and what an operator's act on one answers.
 */
#ifndef SAGA_SHAPE_H
#define SAGA_SHAPE_H

#include "reason.h"
#include "saga.h"

#define SAGA_STATES	CHOICES("running", "waiting", "compensating", "paused", \
    "dead", "done", "compensated")

extern const struct shape saga_shape;

/* What an act on a saga answers. */
#define SAGA_ACT_OUTPUT FIELDS(						\
	OUT(outcome, STR, "What became of it: waiting, paid, compensated, refunded, retry, ...", \
	    .example = "\"waiting\""),					\
	OUT_OBJECT(saga, saga_shape, "The saga now"))

/* That, once the saga was driven to outcome. */
struct status	 saga_act_reply(struct req *, const char *saga, const char *outcome);
/* An act that takes the saga, drives it and answers so: a query with the
 * arguments of orders.operator_retries(). */
struct status	 saga_act(struct req *, const struct query *take, const char *saga,
		    const char *reason);

#endif
