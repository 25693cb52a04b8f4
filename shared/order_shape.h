/*
 * order_shape.h -- the wire objects `order`, `payment` and `refund`,
 * as orders.order_json(), payments.payment_json() and payments.refund_json()
 * in schema/ write them.
 */
#ifndef ORDER_SHAPE_H
#define ORDER_SHAPE_H

#include "fn.h"

extern const struct shape order_shape;
extern const struct shape order_change_shape;
extern const struct shape payment_shape;
extern const struct shape refund_shape;

#define ORDER_STATUSES CHOICES("pending", "confirmed", "paid", "processing", \
	"shipped", "delivered", "cancelled", "refunded")
#define PAYMENT_STATUSES CHOICES("pending", "processing", "succeeded", "failed", \
	"cancelled", "refunded", "partially_refunded")
#define REFUND_STATUSES CHOICES("pending", "succeeded", "failed", "cancelled")
#define REFUND_REASONS CHOICES("duplicate", "fraudulent", "requested_by_customer")

/* What invalid_transition tells. */
#define TRANSITION_DETAIL { ERR_INVALID_TRANSITION, FIELDS(		\
	OUT(from, CHOICE, "What the order is", .choices = ORDER_STATUSES,	\
	    .example = "\"paid\""),					\
	OUT(to,   CHOICE, "What it cannot become", .choices = ORDER_STATUSES,	\
	    .example = "\"delivered\"")) }

#endif
