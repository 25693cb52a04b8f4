#include "job_shape.h"

const struct shape job_shape = {
	.name = "Job",
	.doc = "Something to be done outside the database, at least once",
	.fields = FIELDS(
		OUT(id,          ID,     "The job", .example = "1"),
		OUT(kind,        STR,    "What it does", .example = "\"mail\""),
		OUT(state,       CHOICE, "How it stands", .choices = JOB_STATES,
		    .example = "\"dead\""),
		OUT(priority,    INT,    "The higher, the sooner: -2 to 2", .example = "0"),
		OUT(dedupe,      STR,    "No other of its kind has this key", .nullable = true),
		OUT(attempt,     INT,    "How often it was tried", .example = "3"),
		OUT(epoch,       INT,    "Reports with a lower one change nothing", .example = "3"),
		OUT(owner,       STR,    "The process that is at work on it", .nullable = true),
		OUT(runs_at,     TIME,   "When it is to run, or the lease ends", .nullable = true),
		OUT(is_overdue,  BOOL,   "Whether that has passed", .example = "false"),
		OUT(last_error,  STR,    "What went wrong last", .nullable = true,
		    .example = "\"550 no such user here\""),
		OUT(acts,        STRS,   "What an operator may do: retry, cancel",
		    .example = "[\"retry\", \"cancel\"]"),
		OUT(created_at,  TIME,   "When it was added"),
		OUT(finished_at, TIME,   "When it ended", .nullable = true,
		    .example = "\"2026-11-23T01:46:00.000Z\"")),
};
