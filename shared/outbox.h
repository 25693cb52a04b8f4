/*
 * outbox.h -- the relay of events that wait in ops.event (schema/120_outbox.sql).
 *
 * Of each subject only the first event that waits can be claimed, so whatever
 * is claimed may be sent at the same time.  No transaction is open meanwhile.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "fn.h"

/* Sends what is due, within bounds of time; answers with what became of it. */
struct status	 outbox_relay(struct req *);

#endif
