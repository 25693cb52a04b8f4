#include "saga_shape.h"

const struct shape saga_shape = {
	.name = "Saga",
	.doc = "What carries an order from placed to paid or undone, or a refund to its end",
	.fields = FIELDS(
		OUT(id,         ID,     "The saga", .example = "1"),
		OUT(order_id,   ID,     "Its order", .example = "1"),
		OUT(kind,       STR,    "What it does", .example = "\"order\""),
		OUT(version,    INT,    "Of its steps", .example = "1"),
		OUT(state,      CHOICE, "How it stands", .choices = SAGA_STATES,
		    .example = "\"waiting\""),
		OUT(step,       STR,    "Where it stands", .example = "\"await_payment\""),
		OUT(waits_for,  CHOICE, "What it depends on now: a driver that has a lease of it,"
		    " an alarm to try again, a payment, the next run of recovery, or an operator;"
		    " null: nothing, it has ended", .nullable = true,
		    .choices = CHOICES("driver", "retry", "payment", "recovery", "operator"),
		    .example = "\"payment\""),
		OUT(wakes_at,   TIME,   "When its alarm rings, or the lease ends", .nullable = true,
		    .example = "\"2026-11-23T01:47:00.000Z\""),
		OUT(is_overdue, BOOL,   "Whether the alarm has rung and nobody has come yet",
		    .example = "false"),
		OUT(attempt,    INT,    "Tries of this step", .example = "1"),
		OUT(epoch,      INT,    "Drivers with a lower one are fenced", .example = "2"),
		OUT(owner,      STR,    "The process that drives it", .nullable = true,
		    .example = "\"host:1234\""),
		OUT(deadline,   TIME,   "Until when the step may take"),
		OUT(cause,      STR,    "Why it is being undone", .nullable = true),
		OUT(last_error, STR,    "What went wrong last", .nullable = true),
		OUT(acts,       STRS,   "What an operator may do: retry, skip, compensate",
		    .example = "[\"retry\", \"compensate\"]"),
		OUT(created_at, TIME,   "When it began"),
		OUT(updated_at, TIME,   "When it last moved")),
};
