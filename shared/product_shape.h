/*
 * product_shape.h -- the wire object `product`, as catalog.product_wire in
 * schema/ writes it.
 */
#ifndef PRODUCT_SHAPE_H
#define PRODUCT_SHAPE_H

#include "fn.h"

extern const struct shape product_shape;
extern const struct shape pagination_shape;

/* What insufficient_stock tells. */
extern const struct shape shortage_shape;
#define SHORTAGE_DETAIL	{ ERR_INSUFFICIENT_STOCK, FIELDS(		\
	OUT_OBJECT(products, shortage_shape, "What is short", .many = true)) }

#endif
