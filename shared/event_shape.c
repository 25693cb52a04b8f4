#include "event_shape.h"

const struct shape event_shape = {
	.name = "Event",
	.doc = "Something that has happened in the shop, for the sink to be told",
	.fields = FIELDS(
		OUT(id,          ID,     "Its number; the sink reads it as sequence", .example = "17"),
		OUT(event_id,    STR,    "The id that the sink reads",
		    .example = "\"0b0e7c1e-4f0a-4d55-8f0e-2f6a3b1c9d10\""),
		OUT(type,        STR,    "What has happened, without EVENT_TYPE_PREFIX",
		    .example = "\"order.paid\""),
		OUT(subject,     STR,    "To what", .example = "\"orders/17\""),
		OUT(state,       CHOICE, "How it stands", .choices = EVENT_STATES,
		    .example = "\"dead\""),
		OUT(attempt,     INT,    "How often it was tried", .example = "3"),
		OUT(epoch,       INT,    "Reports with a lower one change nothing", .example = "3"),
		OUT(sends_at,    TIME,   "When it is to be sent, or the lease ends; null while an "
		    "earlier one about its subject waits", .nullable = true),
		OUT(is_overdue,  BOOL,   "Whether that has passed", .example = "false"),
		OUT(last_error,  STR,    "What went wrong last", .nullable = true,
		    .example = "\"the sink answers 500\""),
		OUT(acts,        STRS,   "What an operator may do: retry, drop",
		    .example = "[\"retry\", \"drop\"]"),
		OUT(happened_at, TIME,   "When it happened"),
		OUT(ended_at,    TIME,   "When it was sent or given up", .nullable = true,
		    .example = "\"2026-11-23T01:46:00.000Z\"")),
};
