/*
 * user_shape.h -- the wire object `user`, as users.user_json() in schema/
 * writes it.
 */
#ifndef USER_SHAPE_H
#define USER_SHAPE_H

#include "fn.h"

extern const struct shape user_shape;

#endif
