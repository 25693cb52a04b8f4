/*
 * The steps of an order's saga: an intent is made, paid, or undone.
 */
#include "saga_steps.h"

#include <stdio.h>
#include <string.h>

COUNTER(created, "saga_steps_total", "step=\"create_intent\",outcome=\"done\"",
    "Steps of sagas by how they ended");
COUNTER(paid, "saga_steps_total", "step=\"await_payment\",outcome=\"done\"",
    "Steps of sagas by how they ended");
COUNTER(undone, "saga_steps_total", "step=\"create_intent\",outcome=\"compensated\"",
    "Steps of sagas by how they ended");

enum {
	FIRST_LOOK_S = 60,		/* at a payment nobody has told us of */
	LAST_LOOK_S = 600,
	PROCESSING_LOOK_S = 30,
	CANCEL_PATIENCE_S = 24 * 3600
};

QUERY(begun_at,
	"SELECT extract(epoch FROM now())::bigint - $1::bigint AS since");
QUERY(intent_created,
	"SELECT orders.saga_intent_created_v1($1, $2, $3, $4, $5, $6) AS outcome");
QUERY(wait_longer,
	"SELECT orders.saga_wait_v1($1, $2, $3) AS outcome");
QUERY(start_compensation,
	"SELECT orders.saga_compensate_v1($1, $2, $3, $4) AS outcome");
QUERY(end_compensation,
	"SELECT orders.saga_compensated_v1($1, $2, $3) AS outcome");
QUERY(payment_succeeded,
	"SELECT orders.payment_succeeded_v1($1, $2, $3, $4, $5, $6) AS outcome");
QUERY(payment_failed,
	"SELECT orders.payment_failed_v1($1, $2, $3, $4) AS outcome");
QUERY(payment_processing,
	"SELECT orders.payment_processing_v1($1, $2) AS outcome");

/* What a succeeded intent says, to the one function that believes it. */
static const char *
take_payment(struct req *rq, const char *order, const cJSON *intent)
{
	const char *outcome = saga_outcome(db_one(rq, &payment_succeeded, order,
	    stripe_id(intent),
	    stripe_text(cJSON_GetObjectItemCaseSensitive(intent, "metadata"), "nonce"),
	    stripe_amount(intent, "amount_received"), stripe_text(intent, "currency"),
	    stripe_text(intent, "payment_method")));

	if (one_of(outcome, "paid", "retaken"))
		metric_add(&paid, 1);
	if (one_of(outcome, "retaken", "refunding"))
		cache_purge(rq, "products");
	if (one_of(outcome, "mismatch", "unknown"))
		log_line(LOG_ERROR, "a payment does not fit its order", "order", order,
		    "intent", stripe_text(intent, "id"), "outcome", outcome, NULL);
	return outcome;
}

static bool
is_ours(const struct saga *s, const cJSON *intent)
{
	const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(intent, "metadata");
	const char *order = stripe_text(metadata, "order_id");
	const char *nonce = stripe_text(metadata, "nonce");

	return order != NULL && nonce != NULL && strcmp(order, s->order) == 0 &&
	    strcmp(nonce, s->nonce) == 0;
}

/* An intent that was made though Stripe never told us: by its metadata.  False
 * when Stripe has not shown all that there is, and nobody knows. */
static bool
find_intent(struct req *rq, const struct saga *s, const cJSON **found)
{
	enum { MAX_PAGES = 50, CLOCKS_APART_S = 300 };
	/* By the database's clock: a process may have a wrong one. */
	const char *since = row_text(db_one(rq, &begun_at,
	    text(rq, s->age_s + CLOCKS_APART_S)), "since");
	char after[256] = "";		/* an id is no longer */

	*found = NULL;
	for (int page = 0; page < MAX_PAGES && since != NULL; page++) {
		struct mark *mark = mem_mark(rq);
		struct stripe_reply r = stripe_get(rq, fmt(rq,
		    "/v1/payment_intents?limit=100&created[gte]=%s%s", since, after));
		const cJSON *intent, *last = NULL;

		cJSON_ArrayForEach(intent, cJSON_GetObjectItemCaseSensitive(r.body, "data")) {
			if (is_ours(s, intent) && stripe_id(intent) != NULL) {
				*found = intent;
				return true;
			}
			last = intent;
		}
		if (r.outcome != STRIPE_OK)
			return false;
		if (stripe_id(last) == NULL || !cJSON_IsTrue(
		    cJSON_GetObjectItemCaseSensitive(r.body, "has_more")))
			return true;
		snprintf(after, sizeof(after), "&starting_after=%s", stripe_id(last));
		mem_release(rq, mark);
	}
	return false;
}

/* An answer that is about no intent, or not about this one, is none. */
static struct stripe_reply
about(struct stripe_reply r, const char *intent)
{
	const char *id = stripe_id(r.body);

	if (r.outcome == STRIPE_OK && (id == NULL || (intent != NULL && strcmp(id, intent) != 0))) {
		r.outcome = STRIPE_AWAY;
		r.body = NULL;
		r.problem = "the answer is about something else";
	}
	return r;
}

static struct stripe_reply
look_up(struct req *rq, const char *intent)
{
	return about(stripe_get(rq, fmt(rq, "/v1/payment_intents/%s", intent)), intent);
}

static struct stripe_reply
create_intent(struct req *rq, const struct saga *s)
{
	char currency[4] = "";

	for (int i = 0; i < 3 && s->currency[i] != '\0'; i++)
		currency[i] = (char)(s->currency[i] | 0x20);
	return about(stripe_post(rq, "/v1/payment_intents",
	    saga_key(rq, s, fmt(rq, "intent-%s", s->generation)),
	    (const struct stripe_field[]){
		{ "amount", s->amount },
		{ "currency", currency },
		{ "automatic_payment_methods[enabled]", "true" },
		{ "description", fmt(rq, "Order %s", s->order) },
		{ "metadata[order_id]", s->order },
		{ "metadata[nonce]", s->nonce },
		{ NULL, NULL } }), NULL);
}

static const char *
compensate(struct req *rq, struct saga *s, const char *cause)
{
	const char *outcome = saga_outcome(db_one(rq, &start_compensation, s->id, s->epoch,
	    cause, text(rq, SAGA_LEASE_S)));

	if (strcmp(outcome, "compensating") != 0)
		return outcome;
	s->state = "compensating";
	s->step = "create_intent";
	s->attempt = s->tried_s = 0;
	return NULL;		/* go on */
}

static const char *
checkpoint_intent(struct req *rq, struct saga *s, const cJSON *intent)
{
	const struct query *query = s->checkpoint != NULL ? s->checkpoint : &intent_created;
	const cJSON *live = cJSON_GetObjectItemCaseSensitive(intent, "livemode");
	const struct row *row = db_one(rq, query, s->id, s->epoch,
	    stripe_text(intent, "id"), stripe_text(intent, "client_secret"),
	    text(rq, FIRST_LOOK_S), !cJSON_IsBool(live) ? NULL : cJSON_IsTrue(live) ? "true" : "false");
	const char *outcome = saga_outcome(row);

	s->answer = row_text(row, "answer");
	fault_point("intent_after_checkpoint");
	if (strcmp(outcome, "waiting") == 0)
		metric_add(&created, 1);
	return outcome;
}

const char *
saga_create_intent(struct req *rq, struct saga *s)
{
	struct stripe_reply r;
	const cJSON *found;

	if (s->past_deadline)
		return compensate(rq, s, "The payment could not be set up in time");
	fault_point("intent_before_call");
	r = create_intent(rq, s);
	fault_point("intent_after_call");
	if (r.outcome == STRIPE_OK)
		return checkpoint_intent(rq, s, r.body);
	if (r.outcome == STRIPE_REFUSED)
		return compensate(rq, s, fmt(rq, "The payment was refused: %s", r.problem));
	/* Stripe repeats a fault of its own for ever under the same key; what it
	 * may have done under it is looked for before another key is used. */
	if (!r.replayed || r.status < 500 || !find_intent(rq, s, &found))
		return saga_retry(rq, s, &r, false);
	return found != NULL ? checkpoint_intent(rq, s, found) : saga_retry(rq, s, &r, true);
}

static int64_t
next_look_s(const struct saga *s)
{
	return s->age_s < FIRST_LOOK_S ? FIRST_LOOK_S :
	    s->age_s > LAST_LOOK_S ? LAST_LOOK_S : s->age_s;
}

static const char *
apply_intent(struct req *rq, const char *order, const cJSON *intent)
{
	const char *status = stripe_text(intent, "status");
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(intent, "last_payment_error");
	const char *code = stripe_text(error, "decline_code");

	if (one_of(status, "succeeded"))
		return take_payment(rq, order, intent);
	if (one_of(status, "processing"))
		db_run(rq, &payment_processing, order, stripe_text(intent, "id"));
	else if (cJSON_IsObject(error))
		db_run(rq, &payment_failed, order, stripe_text(intent, "id"),
		    code != NULL ? code : stripe_text(error, "code"),
		    stripe_text(error, "message"));
	return status == NULL ? "unknown" : status;
}

const char *
saga_await_payment(struct req *rq, struct saga *s)
{
	struct stripe_reply r = look_up(rq, s->intent);
	const char *status;
	int64_t look = next_look_s(s);

	if (r.outcome == STRIPE_REFUSED)
		return compensate(rq, s, fmt(rq, "The payment is gone: %s", r.problem));
	if (r.outcome != STRIPE_OK)
		return saga_retry(rq, s, &r, false);
	status = apply_intent(rq, s->order, r.body);
	if (one_of(status, "paid", "already", "retaken", "refunding"))
		return status;
	if (one_of(status, "mismatch", "unknown"))
		return saga_die(rq, s, "the payment does not fit the order");
	if (one_of(status, "canceled"))
		return compensate(rq, s, "The payment was cancelled");
	if (one_of(status, "processing"))
		look = PROCESSING_LOOK_S;
	else if (s->past_deadline)
		return compensate(rq, s, "Not paid in time");
	return saga_outcome(db_one(rq, &wait_longer, s->id, s->epoch, text(rq, look)));
}

static const char *
compensated(struct req *rq, const struct saga *s)
{
	const char *outcome = saga_outcome(db_one(rq, &end_compensation, s->id, s->epoch,
	    s->intent));

	fault_point("compensate_after_commit");
	if (strcmp(outcome, "compensated") == 0) {
		metric_add(&undone, 1);
		cache_purge(rq, "products");	/* their stock is back */
	}
	return outcome;
}

/* Cancelling is where Stripe decides between us and the buyer: either the
 * intent is cancelled and can never be paid, or it says what else it is. */
static const char *
cancel_intent(struct req *rq, const struct saga *s)
{
	const cJSON *intent;
	const char *status, *code;
	struct stripe_reply r;

	fault_point("compensate_before_cancel");
	r = stripe_post(rq, fmt(rq, "/v1/payment_intents/%s/cancel", s->intent),
	    saga_key(rq, s, fmt(rq, "cancel-%s", s->epoch)),
	    (const struct stripe_field[]){
		{ "cancellation_reason", "abandoned" }, { NULL, NULL } });
	fault_point("compensate_after_cancel");
	code = stripe_text(r.error, "code");
	intent = r.outcome == STRIPE_OK ? r.body
	    : cJSON_GetObjectItemCaseSensitive(r.error, "payment_intent");
	status = stripe_text(intent, "status");
	if (one_of(status, "canceled") || (r.status == 404 && one_of(code, "resource_missing")))
		return compensated(rq, s);
	if (one_of(status, "succeeded")) {
		status = take_payment(rq, s->order, intent);
		return one_of(status, "mismatch", "unknown")
		    ? saga_die(rq, s, "the payment does not fit the order") : status;
	}
	if (r.problem == NULL)
		r.problem = fmt(rq, "the intent is %s", status == NULL ? "unknown" : status);
	return saga_retry(rq, s, &r, false);
}

const char *
saga_compensate(struct req *rq, struct saga *s)
{
	struct stripe_reply r;
	const cJSON *intent;

	if (s->tried_s > CANCEL_PATIENCE_S)
		return saga_die(rq, s, "the payment could not be cancelled for a day");
	if (s->intent == NULL) {
		/* In doubt: the call may have been made.  Making it again finds out. */
		if (s->age_s > SAGA_KEY_LIFE_S) {
			r = (struct stripe_reply){ .outcome = STRIPE_AWAY,
			    .problem = "nobody knows whether the intent was made" };
			if (!find_intent(rq, s, &intent))
				return saga_retry(rq, s, &r, false);
		} else {
			r = create_intent(rq, s);
			intent = r.body;
			if (r.outcome == STRIPE_DENIED || r.outcome == STRIPE_AWAY) {
				if (!r.replayed || !find_intent(rq, s, &intent))
					return saga_retry(rq, s, &r, false);
				if (intent == NULL)
					return saga_retry(rq, s, &r, true);
			}
		}
		s->intent = stripe_id(intent);
		if (s->intent == NULL)
			return compensated(rq, s);	/* there never was one */
	}
	return cancel_intent(rq, s);
}

const char *
saga_sync(struct req *rq, const char *order, const char *intent)
{
	struct stripe_reply r = look_up(rq, intent);

	return r.outcome == STRIPE_OK ? apply_intent(rq, order, r.body) : NULL;
}
