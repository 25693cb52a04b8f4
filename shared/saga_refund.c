/*
 * The steps of a refund's saga: Stripe is asked for it, and then whether the
 * money has arrived.  What Stripe says of a refund, whichever, goes to
 * orders.refund_seen_v1(), which knows what to make of it.
 */
#include "saga_steps.h"

#include <string.h>

COUNTER(refunded, "saga_steps_total", "step=\"refund_payment\",outcome=\"done\"",
    "Steps of sagas by how they ended");
COUNTER(refused, "saga_steps_total", "step=\"refund_payment\",outcome=\"refused\"",
    "Steps of sagas by how they ended");

enum {
	PATIENCE_S = 72 * 3600,		/* until a refund can be asked for */
	FIRST_LOOK_S = 5,		/* at one that Stripe is at work on */
	LAST_LOOK_S = 3600
};

QUERY(refund_seen,
	"SELECT orders.refund_seen_v1($1, $2, $3, $4, $5, $6, $7, $8) AS outcome");
QUERY(refund_is_pending,
	"SELECT orders.saga_refund_pending_v1($1, $2, $3) AS outcome");
QUERY(refund_is_refused,
	"SELECT orders.saga_refund_refused_v1($1, $2, $3) AS outcome");
QUERY(refund_anew,
	"SELECT * FROM orders.saga_refund_anew_v1($1, $2)");

static const char *
see(struct req *rq, const cJSON *refund)
{
	const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(refund, "metadata");
	const char *outcome = saga_outcome(db_one(rq, &refund_seen,
	    stripe_text(refund, "payment_intent"), stripe_id(refund),
	    stripe_amount(refund, "amount"), stripe_text(refund, "currency"),
	    stripe_text(refund, "status"), stripe_text(refund, "reason"),
	    stripe_text(metadata, "refund_id"), stripe_text(refund, "failure_reason")));

	cache_purge(rq, "products");	/* goods that were never sent are back */
	return outcome;
}

/* How often to look at a refund that takes its time. */
static const char *
look_again(struct req *rq, const struct saga *s)
{
	int64_t look = s->age_s < FIRST_LOOK_S ? FIRST_LOOK_S :
	    s->age_s > LAST_LOOK_S ? LAST_LOOK_S : s->age_s;

	return saga_outcome(db_one(rq, &refund_is_pending, s->id, s->epoch, text(rq, look)));
}

/* An answer that is about something else is none. */
static bool
is_about(const struct saga *s, const cJSON *refund)
{
	const char *intent = stripe_text(refund, "payment_intent");

	return stripe_id(refund) != NULL && intent != NULL && strcmp(intent, s->intent) == 0;
}

static const char *
take_answer(struct req *rq, const struct saga *s, const cJSON *refund)
{
	const char *outcome = see(rq, refund);

	fault_point("refund_after_checkpoint");
	if (one_of(outcome, "refund_pending"))
		return look_again(rq, s);
	if (one_of(outcome, "refund_succeeded"))
		metric_add(&refunded, 1);
	else
		log_line(LOG_ERROR, "a refund does not succeed", "refund", s->subject,
		    "order", s->order, "outcome", outcome, NULL);
	return one_of(outcome, "early", "unknown", "mismatch")
	    ? saga_die(rq, s, "the refund does not fit the payment") : outcome;
}

/*
 * All refunds of the payment that Stripe has: any that are new to us, made by
 * people there, are taken note of.  *ours is the one of this saga, if it was
 * made after all.
 */
static struct stripe_reply
list_refunds(struct req *rq, const struct saga *s, const cJSON **ours)
{
	struct stripe_reply r = stripe_get(rq, fmt(rq,
	    "/v1/refunds?limit=100&payment_intent=%s", s->intent));
	const cJSON *refund;

	cJSON_ArrayForEach(refund, cJSON_GetObjectItemCaseSensitive(r.body, "data")) {
		const char *asked_by = stripe_text(
		    cJSON_GetObjectItemCaseSensitive(refund, "metadata"), "refund_id");

		if (asked_by != NULL && strcmp(asked_by, s->subject) == 0)
			*ours = refund;
		else
			see(rq, refund);
	}
	return r;
}

static struct stripe_reply
ask(struct req *rq, const struct saga *s)
{
	return stripe_post(rq, "/v1/refunds",
	    saga_key(rq, s, fmt(rq, "refund-%s-%s", s->subject, s->generation)),
	    (const struct stripe_field[]){
		{ "payment_intent", s->intent },
		{ "amount", s->amount },
		{ "metadata[order_id]", s->order },
		{ "metadata[refund_id]", s->subject },
		{ s->refund_reason == NULL ? NULL : "reason", s->refund_reason },
		{ NULL, NULL } });
}

static const char *
again(struct req *rq, const struct saga *s, const struct stripe_reply *r, bool new_key)
{
	return s->tried_s > PATIENCE_S ? saga_die(rq, s, r->problem)
	    : saga_retry(rq, s, r, new_key);
}

/* Whether it was made though Stripe did not say so, or denies it. */
static const char *
look_for(struct req *rq, const struct saga *s, const struct stripe_reply *r)
{
	const cJSON *ours = NULL;
	struct stripe_reply list = list_refunds(rq, s, &ours);

	if (list.outcome != STRIPE_OK)
		return again(rq, s, &list, false);
	if (ours != NULL)
		return take_answer(rq, s, ours);
	if (r == NULL)
		return NULL;
	if (r->outcome != STRIPE_REFUSED)
		return again(rq, s, r, true);
	metric_add(&refused, 1);
	return saga_outcome(db_one(rq, &refund_is_refused, s->id, s->epoch, r->problem));
}

static const char *
refund_anew_instead(struct req *rq, struct saga *s)
{
	const struct saga *anew = saga_of(rq, db_one(rq, &refund_anew, s->id, s->epoch));

	if (anew == NULL)
		return "fenced";
	*s = *anew;
	return NULL;
}

const char *
saga_refund(struct req *rq, struct saga *s)
{
	const char *outcome;
	struct stripe_reply r;

	if (one_of(s->refund_status, "failed", "cancelled"))
		return refund_anew_instead(rq, s);
	if (s->refund != NULL)		/* its answer was noted, and no more */
		return saga_await_refund(rq, s);
	/* A key that Stripe has forgotten would make the refund once more. */
	if (s->age_s > SAGA_KEY_LIFE_S && (outcome = look_for(rq, s, NULL)) != NULL)
		return outcome;
	fault_point("refund_before_call");
	r = ask(rq, s);
	fault_point("refund_after_call");
	if (r.outcome == STRIPE_OK && is_about(s, r.body))
		return take_answer(rq, s, r.body);
	/* A refusal, and a fault of Stripe's that it repeats under the same key,
	 * may hide that it was made. */
	return r.outcome == STRIPE_REFUSED || (r.replayed && r.status >= 500)
	    ? look_for(rq, s, &r) : again(rq, s, &r, false);
}

const char *
saga_await_refund(struct req *rq, struct saga *s)
{
	struct stripe_reply r = stripe_get(rq, fmt(rq, "/v1/refunds/%s", s->refund));

	return r.outcome == STRIPE_OK && is_about(s, r.body)
	    ? take_answer(rq, s, r.body) : saga_retry(rq, s, &r, false);
}
