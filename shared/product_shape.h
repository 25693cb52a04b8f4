/*
 * product_shape.h -- the wire object `product`, as catalog.product_wire in
 * schema/ writes it.
 */
#ifndef PRODUCT_SHAPE_H
#define PRODUCT_SHAPE_H

#include "fn.h"

extern const struct shape product_shape;
extern const struct shape pagination_shape;

#endif
