/*
 * event_shape.h -- the wire object `event`, one of the outbox, as
 * ops.event_json() in schema/ writes it.
 */
#ifndef EVENT_SHAPE_H
#define EVENT_SHAPE_H

#include "fn.h"

#define EVENT_STATES	CHOICES("waiting", "sent", "dead", "dropped")

extern const struct shape event_shape;

#endif
