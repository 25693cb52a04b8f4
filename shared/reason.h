/*
 * reason.h -- why an operator acts: a member of the endpoint's struct input.
 */
#ifndef REASON_H
#define REASON_H

#define REASON_FIELD							\
	BODY(reason, STR, "Why; goes on record, so let it name nobody", .required = true, \
	    .min = 1, .max = 500, .example = "\"The bank has answered\"")

#endif
