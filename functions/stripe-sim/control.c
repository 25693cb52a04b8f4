/*
 * POST /simulator/control
 *
 * What a buyer or a bank does, done by hand:
 *
 *   pay             the intent id, with a test card
 *   authenticate    the intent's 3-D Secure step: outcome
 *   finish_payment  the intent's bank debit: outcome
 *   capture         what the intent holds
 *   cancel          the intent
 *   refund          the intent, all or an amount of it
 *   dispute         the intent's charge, as an inquiry or in earnest
 *   end_dispute     the dispute id: outcome, of the shop's view
 *   finish_refund   the refund id: outcome
 *   resend          the event id, to one webhook endpoint or to all
 *   roll_secret     the webhook endpoint id; the old one counts for a day more
 *
 * The answer is Stripe's: the object, or the error.
 */
#include "sim.h"

struct input {
	const char *action, *id, *card, *outcome, *reason, *inquiry, *webhook_endpoint;
	int64_t amount;
};

QUERY(control, "SELECT c.status, c.body FROM stripe_sim.control($1, $2, jsonb_build_object("
	"'card', $3::text, 'outcome', $4::text, 'reason', $5::text, 'inquiry', $6::boolean,"
	" 'webhook_endpoint', $7::text, 'amount', nullif($8::bigint, 0)), $9, $10) c");

ENDPOINT(control_simulator) = {
	.method  = HTTP_POST,
	.path    = "/simulator/control",
	.summary = "Do what a buyer or a bank would do",
	.access  = ACCESS_SIGNED,
	.rate    = RATE_NONE,
	.repeatable = "Somebody presses a button, and means it each time",
	.commit  = COMMIT_EACH,
	.input   = FIELDS(
		BODY(action,  CHOICE, "What to do", .required = true, .choices = CHOICES("pay",
		    "authenticate", "finish_payment", "capture", "cancel", "refund", "dispute",
		    "end_dispute", "finish_refund", "resend", "roll_secret")),
		BODY(id,      STR, "To what", .required = true, .min = 1, .max = 255),
		BODY(card,    STR, "The test card that pays", .max = 255, .min = 1),
		BODY(outcome, CHOICE, "How a step or a dispute ends",
		    .choices = CHOICES("succeed", "fail")),
		BODY(reason,  STR, "Of a refund or a dispute", .max = 100),
		BODY(inquiry, BOOL, "The bank is only asking"),
		BODY(webhook_endpoint, STR, "The only one that an event is sent to again", .max = 255),
		BODY(amount,  INT, "To refund, in the smallest unit; absent, all", .min = 1,
		    .max = 99999999, .preset = 0)),
	.errors  = ERRORS(ERR_UNAUTHENTICATED),
};

/* A card, an outcome: without it there is nothing to do. */
static bool
is_complete(struct req *rq, const struct input *in)
{
	if (one_of(in->action, "pay") && in->card == NULL)
		fail_field(rq, "card", "required", "Say which card pays");
	if (one_of(in->action, "authenticate", "finish_payment", "end_dispute", "finish_refund") &&
	    in->outcome == NULL)
		fail_field(rq, "outcome", "required", "Say how it ends");
	return !req_failed(rq);
}

static struct status
control_simulator(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *done;

	if (!sim_may_control(rq))
		return fail(rq, ERR_UNAUTHENTICATED);
	if (!is_complete(rq, in))
		return fail(rq, ERR_INVALID_INPUT);
	done = db_one(rq, &control, in->action, in->id, in->card, in->outcome, in->reason,
	    in->inquiry, in->webhook_endpoint, text(rq, in->amount), sim_new_request_id(rq),
	    sim_origin(rq));
	after_reply(rq, sim_send_soon);
	return reply_json(rq, (int)row_int(done, "status"), row_text(done, "body"));
}
