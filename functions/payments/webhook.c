/*
 * POST /api/payments/webhook
 *
 * Stripe tells what became of a payment.  The raw bytes are verified before
 * anything is read from them.  The event is stored and applied in one commit,
 * and answered only then: until it has our 2xx, Stripe sends it again.  What
 * we have no use for is stored all the same.
 */
#include "fn.h"

#include "body.h"
#include "stripe.h"
#include "traces.h"

#include <string.h>
#include <time.h>

SETTING_SECRET(webhook_secret, "STRIPE_WEBHOOK_SECRET",
    "Secrets that webhooks may be signed with, separated by commas");
COUNTER(ingested, "stripe_webhooks_total", "outcome=\"applied\"", "Webhooks by what they did");
COUNTER(repeated, "stripe_webhooks_total", "outcome=\"duplicate\"", "Webhooks by what they did");
COUNTER(forged, "stripe_webhooks_total", "outcome=\"bad_signature\"", "Webhooks by what they did");

QUERY(ingest,
	"SELECT payments.webhook_ingest($1, $2, $3) AS outcome");

ENDPOINT(receive_webhook) = {
	.method  = HTTP_POST,
	.path    = "/api/payments/webhook",
	.summary = "Stripe's events",
	.access  = ACCESS_SIGNED,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "An event has its effect once, by its id",
	.raw_body = true,
	.raw_example = "{\"id\": \"evt_1QXyz\", \"object\": \"event\","
	    " \"type\": \"payment_intent.succeeded\", \"data\": {\"object\": {}}}",
	.output  = FIELDS(
		OUT(received, BOOL, "Stored; no need to send it again", .example = "true")),
	.errors  = ERRORS(ERR_BAD_SIGNATURE, ERR_MALFORMED, ERR_BODY_TOO_LARGE),
};

static struct status
receive_webhook(struct req *rq)
{
	size_t n;
	const char *body = req_body(rq, &n), *problem = "The event has no id or type";
	const char *id, *type, *outcome;
	const cJSON *event;

	if (!stripe_signature_is_good(req_header(rq, "HTTP_STRIPE_SIGNATURE"), body, n,
	    webhook_secret.text, time(NULL))) {
		metric_add(&forged, 1);
		return fail(rq, ERR_BAD_SIGNATURE);
	}
	event = body_parse(rq, body, n, &problem);
	id = stripe_text(event, "id");
	type = stripe_text(event, "type");
	if (id == NULL || type == NULL || *id == '\0' || strlen(id) > 255)
		return fail_text(rq, ERR_MALFORMED, "%s", problem);
	trace_of_event(rq, event);
	fault_point("webhook_before_commit");
	outcome = row_text(db_one(rq, &ingest, id, type, fmt(rq, "%.*s", (int)n, body)),
	    "outcome");
	fault_point("webhook_after_commit");
	metric_add(one_of(outcome, "duplicate") ? &repeated : &ingested, 1);
	/* Goods may have moved. */
	if (one_of(outcome, "retaken", "refunding", "refund_succeeded", "refund_failed"))
		cache_purge(rq, "products");
	if (one_of(outcome, "mismatch", "unknown", "failed"))
		log_line(LOG_ERROR, "a webhook had no effect", "event", id, "type", type,
		    "outcome", outcome, NULL);
	return reply_json(rq, 200, "{\"received\":true}");
}
