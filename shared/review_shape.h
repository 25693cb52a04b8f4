/*
 * review_shape.h -- the wire object `review`, as catalog.review_wire in schema/
 * writes it, and what its author says in it.
 */
#ifndef REVIEW_SHAPE_H
#define REVIEW_SHAPE_H

#include "fn.h"

extern const struct shape review_shape;

#define REVIEW_FIELDS(is_new)						\
	BODY(rating,  INT, "From 1 to 5", .required = is_new, .not_null = !(is_new), \
	    .min = 1, .max = 5, .example = "5"),			\
	BODY(title,   STR, "In a few words", .max = 200, .example = "\"Just like home\""), \
	BODY(comment, STR, "In many", .max = 5000)

/* Answers with the review as it is now. */
struct status	 review_reply(struct req *, int http_status, const char *id);

#endif
