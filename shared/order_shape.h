/*
 * order_shape.h -- the wire objects `order` and `payment`, as
 * orders.order_json() and payments.payment_json() in schema/ write them.
 */
#ifndef ORDER_SHAPE_H
#define ORDER_SHAPE_H

#include "fn.h"

extern const struct shape order_shape;
extern const struct shape order_change_shape;
extern const struct shape payment_shape;

#define ORDER_STATUSES CHOICES("pending", "confirmed", "paid", "processing", \
	"shipped", "delivered", "cancelled", "refunded")
#define PAYMENT_STATUSES CHOICES("pending", "processing", "succeeded", "failed", \
	"cancelled", "refunded", "partially_refunded")

#endif
