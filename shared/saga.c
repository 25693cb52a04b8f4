#include "saga.h"
#include "lease.h"
#include "stripe.h"

#include <string.h>
#include <time.h>

COUNTER(created, "saga_steps_total", "step=\"create_intent\",outcome=\"done\"",
    "Steps of sagas by how they ended");
COUNTER(paid, "saga_steps_total", "step=\"await_payment\",outcome=\"done\"",
    "Steps of sagas by how they ended");
COUNTER(undone, "saga_steps_total", "step=\"create_intent\",outcome=\"compensated\"",
    "Steps of sagas by how they ended");
COUNTER(refunded, "saga_steps_total", "step=\"refund_payment\",outcome=\"done\"",
    "Steps of sagas by how they ended");
COUNTER(retried, "saga_retries_total", "", "Steps to be tried again later");
COUNTER(fenced, "saga_fenced_total", "", "Transitions refused to a driver without a lease");
COUNTER(died, "saga_dead_total", "", "Sagas that need an operator");

enum {
	FIRST_LOOK_S = 60,		/* at a payment nobody has told us of */
	LAST_LOOK_S = 600,
	PROCESSING_LOOK_S = 30,
	LOOK_MS = 2000,			/* for alarms that others should see to */
	FIRST_BACKOFF_MS = 400,
	MAX_BACKOFF_MS = 30000,
	DENIED_BACKOFF_MS = 60000,	/* a wrong key is mended by people */
	KEY_LIFE_S = 23 * 3600,		/* Stripe may forget a key after 24 h */
	CANCEL_PATIENCE_S = 24 * 3600,
	REFUND_PATIENCE_S = 72 * 3600
};

QUERY(claim_order,
	"SELECT * FROM orders.saga_claim_order($1, $2, $3)");
QUERY(next_alarm,
	"SELECT orders.saga_next_ms() AS ms");
QUERY(claim_due,
	"SELECT * FROM orders.saga_claim($1, $2, $3, $4)");
QUERY(intent_created,
	"SELECT orders.saga_intent_created_v1($1, $2, $3, $4, $5) AS outcome");
QUERY(wait_longer,
	"SELECT orders.saga_wait_v1($1, $2, $3) AS outcome");
QUERY(retry_later,
	"SELECT orders.saga_retry_v1($1, $2, $3, $4, $5) AS outcome");
QUERY(stop_saga,
	"SELECT orders.saga_stop_v1($1, $2, $3, $4) AS outcome");
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
QUERY(refund_made,
	"SELECT orders.saga_refunded_v1($1, $2, $3, $4) AS outcome");

static const char *
outcome_of(const struct row *row)
{
	const char *outcome = row_text(row, "outcome");

	if (one_of(outcome, "fenced"))
		metric_add(&fenced, 1);
	return outcome == NULL ? "failed" : outcome;
}

struct saga *
saga_of(struct req *rq, const struct row *row)
{
	struct saga *s;

	if (row == NULL)
		return NULL;
	s = mem(rq, sizeof(*s));
	*s = (struct saga){
		.id = row_text(row, "id"), .order = row_text(row, "order_id"),
		.kind = row_text(row, "kind"), .state = row_text(row, "state"),
		.step = row_text(row, "step"), .epoch = row_text(row, "epoch"),
		.nonce = row_text(row, "nonce"), .generation = row_text(row, "key_generation"),
		.intent = row_text(row, "intent"), .amount = row_text(row, "amount"),
		.currency = row_text(row, "currency"), .subject = row_text(row, "subject"),
		.user = row_text(row, "user_id"), .attempt = row_int(row, "attempt"),
		.age_s = row_int(row, "age_s"), .seconds_left = row_int(row, "seconds_left"),
		.past_deadline = row_bool(row, "past_deadline"),
	};
	return s;
}

static const char *
key_for(struct req *rq, const struct saga *s, const char *what)
{
	return fmt(rq, "order-%s-%s-%s", s->order, s->nonce, what);
}

static const char *
die(struct req *rq, const struct saga *s, const char *problem)
{
	log_line(LOG_ERROR, "a saga needs an operator", "saga", s->id, "order", s->order,
	    "step", s->step, "problem", problem, NULL);
	metric_add(&died, 1);
	return outcome_of(db_one(rq, &stop_saga, s->id, s->epoch, "dead", problem));
}

static const char *
retry(struct req *rq, const struct saga *s, const struct stripe_reply *r, bool new_key)
{
	int64_t delay = r->outcome == STRIPE_DENIED ? DENIED_BACKOFF_MS :
	    lease_backoff_ms(s->attempt, FIRST_BACKOFF_MS, MAX_BACKOFF_MS);

	metric_add(&retried, 1);
	return outcome_of(db_one(rq, &retry_later, s->id, s->epoch, text(rq, delay),
	    r->problem, new_key ? "true" : "false"));
}

/* What a succeeded intent says, to the one function that believes it. */
static const char *
take_payment(struct req *rq, const char *order, const cJSON *intent)
{
	const char *outcome = outcome_of(db_one(rq, &payment_succeeded, order,
	    stripe_id(intent),
	    stripe_text(cJSON_GetObjectItemCaseSensitive(intent, "metadata"), "nonce"),
	    stripe_amount(intent, "amount_received"), stripe_text(intent, "currency"),
	    stripe_text(intent, "payment_method")));

	if (one_of(outcome, "paid", "retaken"))
		metric_add(&paid, 1);
	if (one_of(outcome, "retaken"))
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

/* An intent that was made though Stripe never told us: by its metadata. */
static const cJSON *
find_intent(struct req *rq, const struct saga *s)
{
	enum { MAX_PAGES = 50, CLOCKS_APART_S = 300 };
	const char *since = text(rq, (int64_t)time(NULL) - s->age_s - CLOCKS_APART_S);
	const char *after = "";

	for (int page = 0; page < MAX_PAGES; page++) {
		struct stripe_reply r = stripe_get(rq, fmt(rq,
		    "/v1/payment_intents?limit=100&created[gte]=%s%s", since, after));
		const cJSON *intent, *last = NULL;

		cJSON_ArrayForEach(intent, cJSON_GetObjectItemCaseSensitive(r.body, "data")) {
			if (is_ours(s, intent) && stripe_id(intent) != NULL)
				return intent;
			last = intent;
		}
		if (stripe_id(last) == NULL || !cJSON_IsTrue(
		    cJSON_GetObjectItemCaseSensitive(r.body, "has_more")))
			break;
		after = fmt(rq, "&starting_after=%s", stripe_id(last));
	}
	return NULL;
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
	    key_for(rq, s, fmt(rq, "intent-%s", s->generation)),
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
	const char *outcome = outcome_of(db_one(rq, &start_compensation, s->id, s->epoch,
	    cause, text(rq, SAGA_LEASE_S)));

	if (strcmp(outcome, "compensating") != 0)
		return outcome;
	s->state = "compensating";
	s->step = "create_intent";
	s->attempt = 0;
	return NULL;		/* go on */
}

static const char *
checkpoint_intent(struct req *rq, struct saga *s, const cJSON *intent)
{
	const struct query *query = s->checkpoint != NULL ? s->checkpoint : &intent_created;
	const struct row *row = db_one(rq, query, s->id, s->epoch,
	    stripe_text(intent, "id"), stripe_text(intent, "client_secret"),
	    text(rq, FIRST_LOOK_S));
	const char *outcome = outcome_of(row);

	s->answer = row_text(row, "answer");
	fault_point("intent_after_checkpoint");
	if (strcmp(outcome, "waiting") == 0)
		metric_add(&created, 1);
	return outcome;
}

static const char *
step_create_intent(struct req *rq, struct saga *s)
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
	if (r.replayed && r.status >= 500 && (found = find_intent(rq, s)) != NULL)
		return checkpoint_intent(rq, s, found);
	return retry(rq, s, &r, r.replayed && r.status >= 500);
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

static const char *
step_await_payment(struct req *rq, struct saga *s)
{
	struct stripe_reply r = look_up(rq, s->intent);
	const char *status;
	int64_t look = next_look_s(s);

	if (r.outcome == STRIPE_REFUSED)
		return compensate(rq, s, fmt(rq, "The payment is gone: %s", r.problem));
	if (r.outcome != STRIPE_OK)
		return retry(rq, s, &r, false);
	status = apply_intent(rq, s->order, r.body);
	if (one_of(status, "paid", "already", "retaken", "refunding"))
		return status;
	if (one_of(status, "mismatch", "unknown"))
		return die(rq, s, "the payment does not fit the order");
	if (one_of(status, "canceled"))
		return compensate(rq, s, "The payment was cancelled");
	if (one_of(status, "processing"))
		look = PROCESSING_LOOK_S;
	else if (s->past_deadline)
		return compensate(rq, s, "Not paid in time");
	return outcome_of(db_one(rq, &wait_longer, s->id, s->epoch, text(rq, look)));
}

static const char *
compensated(struct req *rq, const struct saga *s)
{
	const char *outcome = outcome_of(db_one(rq, &end_compensation, s->id, s->epoch,
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
	    key_for(rq, s, fmt(rq, "cancel-%s", s->epoch)),
	    (const struct stripe_field[]){
		{ "cancellation_reason", "abandoned" }, { NULL, NULL } });
	fault_point("compensate_after_cancel");
	code = stripe_text(r.error, "code");
	intent = r.outcome == STRIPE_OK ? r.body
	    : cJSON_GetObjectItemCaseSensitive(r.error, "payment_intent");
	status = stripe_text(intent, "status");
	if (one_of(status, "canceled") || (r.status == 404 && one_of(code, "resource_missing")))
		return compensated(rq, s);
	if (one_of(status, "succeeded"))
		return take_payment(rq, s->order, intent);
	if (r.problem == NULL)
		r.problem = fmt(rq, "the intent is %s", status == NULL ? "unknown" : status);
	return retry(rq, s, &r, false);
}

static const char *
step_compensate(struct req *rq, struct saga *s)
{
	struct stripe_reply r;
	const cJSON *intent;

	if (s->age_s > CANCEL_PATIENCE_S)
		return die(rq, s, "the payment could not be cancelled for a day");
	if (s->intent == NULL) {
		/* In doubt: the call may have been made.  Making it again finds out. */
		if (s->age_s > KEY_LIFE_S) {
			intent = find_intent(rq, s);
		} else {
			r = create_intent(rq, s);
			if (r.outcome == STRIPE_DENIED || r.outcome == STRIPE_AWAY) {
				intent = r.replayed ? find_intent(rq, s) : NULL;
				if (intent == NULL)
					return retry(rq, s, &r, r.replayed);
			} else {
				intent = r.body;
			}
		}
		s->intent = stripe_id(intent);
		if (s->intent == NULL)
			return compensated(rq, s);	/* there never was one */
	}
	return cancel_intent(rq, s);
}

static const char *
step_refund(struct req *rq, struct saga *s)
{
	struct stripe_reply r;
	const char *outcome, *refund;

	fault_point("refund_before_call");
	r = stripe_post(rq, "/v1/refunds", key_for(rq, s, fmt(rq, "refund-%s", s->id)),
	    (const struct stripe_field[]){
		{ "payment_intent", s->subject },
		{ "amount", s->amount },
		{ "metadata[order_id]", s->order },
		{ NULL, NULL } });
	fault_point("refund_after_call");
	refund = stripe_id(r.body);
	if (one_of(stripe_text(r.error, "code"), "charge_already_refunded"))
		refund = s->subject;
	if (refund == NULL)
		return s->age_s > REFUND_PATIENCE_S || r.outcome == STRIPE_REFUSED
		    ? die(rq, s, r.problem) : retry(rq, s, &r, false);
	outcome = outcome_of(db_one(rq, &refund_made, s->id, s->epoch, refund, s->amount));
	if (strcmp(outcome, "refunded") == 0)
		metric_add(&refunded, 1);
	return outcome;
}

/* The graph: who acts in which state of which kind. */
static const struct step {
	const char *kind, *state;
	const char *(*act)(struct req *, struct saga *);	/* NULL: go on */
} steps[] = {
	{ "order",  "running",      step_create_intent },
	{ "order",  "waiting",      step_await_payment },
	{ "order",  "compensating", step_compensate },
	{ "refund", "running",      step_refund },
};

const char *
saga_drive(struct req *rq, struct saga *s)
{
	const char *outcome = NULL;

	while (outcome == NULL && !req_failed(rq)) {
		const struct step *step = NULL;

		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
			if (strcmp(steps[i].kind, s->kind) == 0 &&
			    strcmp(steps[i].state, s->state) == 0)
				step = &steps[i];
		if (step == NULL)
			return "finished";
		outcome = step->act(rq, s);
	}
	return outcome == NULL ? "failed" : outcome;
}

const char *
saga_drive_order(struct req *rq, const char *order)
{
	struct saga *s = saga_of(rq, db_one(rq, &claim_order, order, lease_owner(rq),
	    text(rq, SAGA_LEASE_S)));

	return s == NULL ? "busy" : saga_drive(rq, s);
}

const char *
saga_sync(struct req *rq, const char *order, const char *intent)
{
	struct stripe_reply r = look_up(rq, intent);

	return r.outcome == STRIPE_OK ? apply_intent(rq, order, r.body) : NULL;
}

const struct shape saga_run_shape = {
	.name = "SagaRun",
	.doc = "A saga that was driven, as far as it went",
	.fields = FIELDS(
		OUT(id,       ID,  "The saga", .example = "1"),
		OUT(order_id, ID,  "Its order", .example = "1"),
		OUT(outcome,  STR, "What became of it", .example = "\"paid\"")),
};

/* A process holds the lease of one saga only: it takes the next when it is
 * done with one, and stops in good time. */
/* Until the next alarm there is nothing to do.  One that rings now is somebody
 * else's, unless there are more than one run may do. */
static void
look_ahead(struct req *rq, bool more)
{
	const struct row *next = db_one(rq, &next_alarm);
	int64_t ms = row_text(next, "ms") == NULL ? -1 : row_int(next, "ms");

	run_again(rq, ms == 0 && !more ? LOOK_MS : ms);
}

struct status
saga_sweep(struct req *rq, int n, bool expired)
{
	enum { SWEEP_US = 20000000 };
	uint64_t end = now_us() + SWEEP_US;
	struct json *answer = json_new(rq);
	int driven = 0;

	json_open(answer, '{');
	json_key(answer, "sagas");
	json_open(answer, '[');
	while (driven < n && now_us() < end && !req_failed(rq)) {
		struct saga *s = saga_of(rq, db_one(rq, &claim_due, lease_owner(rq), "1",
		    text(rq, SAGA_LEASE_S), expired ? "true" : "false"));

		if (s == NULL)
			break;
		fault_point("recover_after_claim");
		json_open(answer, '{');
		json_key(answer, "id");
		json_raw(answer, s->id);
		json_key(answer, "order_id");
		json_raw(answer, s->order);
		json_key(answer, "outcome");
		json_string(answer, saga_drive(rq, s));
		json_close(answer);
		driven++;
	}
	json_close(answer);
	json_key(answer, "driven");
	json_int(answer, driven);
	look_ahead(rq, driven == n);
	return reply_json(rq, 200, json_text(answer));
}
