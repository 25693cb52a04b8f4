/*
 * POST /simulator/faults
 *
 * Makes something go wrong on purpose: the next so many times, or always.
 *
 *   rate_limit         429, nothing executed
 *   error_before       500, nothing executed
 *   delay              ms pass while the call is being executed
 *   error_after        500 although it was executed; kept under its key
 *   stall              executed at once, answered ms later
 *   drop               executed, and the answer is lost on its way: a proxy's 502
 *   webhook_delay      sent ms later
 *   webhook_duplicate  sent twice, the second time ms later
 *   webhook_reorder    held back for ms, then sent last one first
 *   webhook_drop       never sent
 *   event_twice        two events of one change, each with an id of its own
 *   settle_delay       what Stripe does by itself (a charge's balance transaction,
 *                      the end of a refund or a debit) comes ms later
 *
 * The last two go by the path of the payment intent that they are about.
 */
#include "sim.h"

/* Who waits occupies a worker. */
enum { MOST_MS_OF_CALL = 8000 };

struct input {
	const char *kind, *method, *path, *event_type, *endpoint, *reason;
	int64_t times, ms;
};

QUERY(set, "SELECT stripe_sim.set_fault($1, $2, $3, $4, $5, $6, $7, $8)");

ENDPOINT(set_fault) = {
	.method  = HTTP_POST,
	.path    = "/simulator/faults",
	.summary = "Make something go wrong",
	.access  = ACCESS_SIGNED,
	.rate    = RATE_NONE,
	.repeatable = "A fault that is set twice is taken back like one",
	.success = 201,
	.input   = FIELDS(
		BODY(kind,       CHOICE, "What goes wrong", .required = true,
		    .choices = CHOICES("rate_limit", "error_before", "delay", "error_after",
		    "stall", "drop", "webhook_delay", "webhook_duplicate", "webhook_reorder",
		    "webhook_drop", "event_twice", "settle_delay")),
		BODY(method,     CHOICE, "Only in calls of this method",
		    .choices = CHOICES("GET", "POST", "DELETE")),
		BODY(path,       STR, "Only in calls of paths that begin so", .max = 255),
		BODY(event_type, STR, "Only for these events; may end in .*", .max = 100),
		BODY(endpoint,   STR, "Only to this webhook endpoint", .max = 255),
		BODY(ms,         INT, "Milliseconds, where time matters; a call may be held up for"
		    " 8000", .max = 3600000, .preset = 0),
		BODY(times,      INT, "How often; absent, always", .max = 1000000, .preset = 0),
		BODY(reason,     CHOICE, "The kind of limit, for rate_limit",
		    .choices = CHOICES("global-rate", "endpoint-rate", "global-concurrency",
		    "endpoint-concurrency", "resource-specific"))),
	.errors  = ERRORS(ERR_UNAUTHENTICATED),
};

static struct status
set_fault(struct req *rq)
{
	const struct input *in = req_input(rq);

	if (!sim_may_control(rq))
		return fail(rq, ERR_UNAUTHENTICATED);
	if (one_of(in->kind, "delay", "stall") && in->ms > MOST_MS_OF_CALL)
		return fail_field(rq, "ms", "too_large", "A call may be held up for 8000");
	return reply_row(rq, 201, db_one(rq, &set, in->kind, in->method, in->path,
	    in->event_type, in->endpoint, text(rq, in->ms), in->reason, text(rq, in->times)));
}
