/*
 * category_shape.h -- the wire object `category`, as catalog.category_wire in
 * schema/ writes it.
 */
#ifndef CATEGORY_SHAPE_H
#define CATEGORY_SHAPE_H

#include "fn.h"

extern const struct shape category_shape;

/* The category as JSON; NULL when there is none. */
const char	*category_json(struct req *, const char *id);
/* Refuses a parent that does not exist. */
void		 category_check_parent(struct req *, const char *parent_id);

#endif
