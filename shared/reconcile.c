#include "reconcile.h"
#include "saga.h"
#include "stripe_walk.h"

SETTING_INT(patience, "RECONCILE_AFTER_S", 300, 1, 86400,
    "Seconds after which an unpaid order is looked up at Stripe");
COUNTER(events_applied, "payments_reconciled_total", "what=\"event\"",
    "What webhooks had lost and was found");
COUNTER(intents_applied, "payments_reconciled_total", "what=\"intent\"",
    "What webhooks had lost and was found");
COUNTER(orphans_cancelled, "payments_reconciled_total", "what=\"orphan\"",
    "What webhooks had lost and was found");
GAUGE(drift_open, "payments_drift", "",
    "Payments in which Stripe's books and ours differ");

/* Those that the shop has a use for. */
#define EVENTS "/v1/events?types[]=payment_intent.succeeded&types[]=payment_intent.payment_failed" \
	"&types[]=payment_intent.processing&types[]=payment_intent.canceled"	\
	"&types[]=charge.refunded&types[]=charge.refund.updated"		\
	"&types[]=refund.created&types[]=refund.updated&types[]=refund.failed"	\
	"&types[]=charge.dispute.created&types[]=charge.dispute.updated"	\
	"&types[]=charge.dispute.closed&types[]=charge.dispute.funds_withdrawn"	\
	"&types[]=charge.dispute.funds_reinstated"

enum {
	MOST_ORDERS = 100,	/* looked up in a run */
	MOST_AGAIN = 50,	/* differences, events: looked at again */
	SHARE_US = 5000000,	/* of a run, for each list */
	A_MINUTE_S = 60,	/* what a webhook may take */
	A_DAY_S = 90000		/* and an hour: no order stays unpaid for longer */
};

QUERY(unseen,
	"SELECT events_unseen AS id FROM payments.events_unseen($1::text[])");
QUERY(ingest,
	"SELECT payments.webhook_ingest($1, $2, $3, 'reconcile') AS outcome");
QUERY(try_again,
	"SELECT payments.webhook_again($1) AS n");
QUERY(compare,
	"SELECT payments.intent_compare($1) AS outcome");
QUERY(begin_orders,
	"SELECT coalesce(after, '0') AS after FROM payments.walk_begin('orders', 0, 60)");
QUERY(unsettled,
	"SELECT * FROM payments.unsettled($1, $2, $3)");
QUERY(pass_orders,
	"SELECT payments.walk_pass('orders', $1)");
QUERY(end_orders,
	"SELECT payments.walk_end('orders', $1)");
QUERY(drifted,
	"SELECT intent FROM payments.drifted($1)");
QUERY(drift_left,
	"SELECT payments.drift_count() AS n");

static bool
had_effect(struct reconciled *t, const char *outcome)
{
	t->stock_moved |= one_of(outcome, "retaken");
	return one_of(outcome, "paid", "retaken", "refunding", "noted",
	    "refund_pending", "refund_succeeded", "refund_failed", "refund_cancelled");
}

static void
apply_event(struct req *rq, const cJSON *event, struct reconciled *t)
{
	const char *id = stripe_id(event), *type = stripe_text(event, "type"), *outcome;

	if (id == NULL || type == NULL)
		return;
	outcome = row_text(db_one(rq, &ingest, id, type, cJSON_PrintUnformatted(event)), "outcome");
	fault_point("reconcile_after_apply");
	t->events++;
	if (!had_effect(t, outcome))
		return;
	t->events_applied++;
	metric_add(&events_applied, 1);
	log_line(LOG_WARN, "a webhook was lost", "event", id, "type", type, "outcome", outcome, NULL);
}

static void
events_page(struct req *rq, const cJSON *data, void *to)
{
	const char *ids = "";
	const struct rows *new;
	const cJSON *event;

	cJSON_ArrayForEach(event, data)
		if (stripe_id(event) != NULL)
			ids = fmt(rq, "%s%s%s", ids, *ids == '\0' ? "" : ",", stripe_id(event));
	new = db_all(rq, &unseen, fmt(rq, "{%s}", ids));
	for (event = stripe_oldest(data); event != NULL; event = stripe_newer(data, event))
		for (size_t i = 0; i < rows_count(new); i++)
			if (one_of(stripe_id(event), row_text(rows_at(new, i), "id")))
				apply_event(rq, event, to);
}

/* Its order is paid by another one, or by none any more. */
static void
cancel_orphan(struct req *rq, const char *id, struct reconciled *t)
{
	struct stripe_reply r = stripe_post(rq, fmt(rq, "/v1/payment_intents/%s/cancel", id),
	    fmt(rq, "orphan-%s", id), (const struct stripe_field[]){
		{ "cancellation_reason", "duplicate" }, { NULL, NULL } });

	if (r.outcome != STRIPE_OK)
		return;		/* paid meanwhile, or seen again on the next walk */
	t->orphans++;
	metric_add(&orphans_cancelled, 1);
	log_line(LOG_WARN, "a payment that nobody is to make is cancelled", "intent", id, NULL);
}

static void
compare_intent(struct req *rq, const cJSON *intent, bool is_news, struct reconciled *t)
{
	const char *id = stripe_id(intent), *outcome;

	if (id == NULL)
		return;
	outcome = row_text(db_one(rq, &compare, cJSON_PrintUnformatted(intent)), "outcome");
	t->intents++;
	if (had_effect(t, outcome)) {
		t->intents_applied++;
		metric_add(&intents_applied, 1);
		log_line(LOG_WARN, "a payment was not known here", "intent", id, "outcome", outcome, NULL);
	} else if (one_of(outcome, "orphan")) {
		cancel_orphan(rq, id, t);
	} else if (is_news && one_of(outcome, "unknown", "mismatch", "drift")) {
		log_line(LOG_ERROR, "Stripe's books and ours differ", "intent", id, "outcome", outcome, NULL);
	}
}

static void
intents_page(struct req *rq, const cJSON *data, void *to)
{
	for (const cJSON *i = stripe_oldest(data); i != NULL; i = stripe_newer(data, i))
		compare_intent(rq, i, true, to);
}

/* Until when one list may take: a long one must not keep us from the others. */
static uint64_t
share(uint64_t end_us)
{
	uint64_t end = now_us() + SHARE_US;

	return end < end_us ? end : end_us;
}

static bool
walk_events(struct req *rq, struct reconciled *t, uint64_t end_us)
{
	/* What could not be delivered at once; all, in case Stripe does not know
	 * that it was lost. */
	static const struct stripe_walk undelivered = {
		"undelivered", EVENTS "&delivery_success=false", 0, events_page };
	static const struct stripe_walk all = {
		"events", EVENTS, A_MINUTE_S, events_page };

	bool complete = stripe_walk(rq, &undelivered, share(end_us), t);

	return stripe_walk(rq, &all, share(end_us), t) && complete;
}

static bool
look_up_orders(struct req *rq, struct reconciled *t, uint64_t end_us)
{
	const char *after = row_text(db_one(rq, &begin_orders), "after");
	const struct rows *open;
	size_t i = 0;
	bool complete;

	if (after == NULL)
		return false;
	open = db_all(rq, &unsettled, text(rq, patience.number), after, text(rq, MOST_ORDERS));
	for (; i < rows_count(open) && now_us() < end_us && !req_failed(rq); i++) {
		const struct row *order = rows_at(open, i);

		saga_sync(rq, row_text(order, "order_id"), row_text(order, "intent"));
		db_run(rq, &pass_orders, row_text(order, "order_id"));
		t->orders++;
	}
	complete = i == rows_count(open) && i < MOST_ORDERS;
	db_run(rq, &end_orders, complete ? "true" : "false");
	return complete;
}

static void
look_at_drift(struct req *rq, struct reconciled *t, uint64_t end_us)
{
	const struct rows *found = db_all(rq, &drifted, text(rq, MOST_AGAIN));

	for (size_t i = 0; i < rows_count(found) && now_us() < end_us && !req_failed(rq); i++) {
		struct mark *mark = mem_mark(rq);

		compare_intent(rq, stripe_get(rq, fmt(rq,
		    "/v1/payment_intents/%s?expand[]=latest_charge",
		    row_text(rows_at(found, i), "intent"))).body, false, t);
		mem_release(rq, mark);
	}
}

static bool
walk_intents(struct req *rq, struct reconciled *t, uint64_t end_us)
{
	static const struct stripe_walk new = {
		"intents", "/v1/payment_intents?expand[]=data.latest_charge", 0, intents_page };
	static const struct stripe_walk old = {
		"intents_again", "/v1/payment_intents?expand[]=data.latest_charge", A_DAY_S,
		intents_page };

	bool complete = stripe_walk(rq, &new, share(end_us), t);

	return stripe_walk(rq, &old, share(end_us), t) && complete;
}

bool
reconcile(struct req *rq, uint64_t end_us, struct reconciled *t)
{
	bool complete = walk_events(rq, t, end_us);

	t->events_applied += row_int(db_one(rq, &try_again, text(rq, MOST_AGAIN)), "n");
	complete &= look_up_orders(rq, t, share(end_us));
	complete &= walk_intents(rq, t, end_us);
	look_at_drift(rq, t, end_us);
	t->drift = row_int(db_one(rq, &drift_left), "n");
	metric_set(&drift_open, (uint64_t)t->drift);
	if (t->stock_moved)
		cache_purge(rq, "products");
	return complete;
}
