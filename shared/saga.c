#include "lease.h"
#include "saga_steps.h"
#include "traces.h"

#include <string.h>
#include <time.h>

COUNTER(retried, "saga_retries_total", "", "Steps to be tried again later");
COUNTER(fenced, "saga_fenced_total", "", "Transitions refused to a driver without a lease");
COUNTER(died, "saga_dead_total", "", "Sagas that need an operator");
GAUGE(unknown, "sagas_unknown", "", "Sagas that should go on, at a step that this program does not have");
COUNTER(strange, "saga_unknown_total", "", "Claimed sagas at a step that this program does not have");
#define SECONDS_OF(kind, version, step, state, act)			\
	HISTOGRAM(act##_seconds, "saga_step_duration_seconds",		\
	    SAGA_LABELS(kind, step, state), "How long a try of a step took");
SAGA_STEPS(SECONDS_OF)

enum {
	LOOK_MS = 2000,			/* for alarms that others should see to */
	FIRST_BACKOFF_MS = 400,
	MAX_BACKOFF_MS = 30000,
	DENIED_BACKOFF_MS = 60000,	/* a wrong key is mended by people ... */
	UNKNOWN_BACKOFF_S = 60		/* and an old program by a new one */
};

QUERY(claim_order,
	"SELECT * FROM orders.saga_claim_order($1, $2, $3)");
QUERY(alarms,
	"SELECT next_ms, unknown FROM orders.saga_clock($1)");
QUERY(claim_due,
	"SELECT * FROM orders.saga_claim($1, $2, $3, $4, $5)");
QUERY(give_back,
	"SELECT orders.saga_give_back($1, $2, $3, $4) AS outcome");
QUERY(retry_later,
	"SELECT orders.saga_retry_v1($1, $2, $3, $4, $5) AS outcome");
QUERY(stop_saga,
	"SELECT orders.saga_stop_v1($1, $2, $3, $4) AS outcome");
QUERY(being_undone,
	"SELECT orders.is_being_undone($1) AS is_busy");

const char *
saga_outcome(const struct row *row)
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
		.refund = row_text(row, "stripe_refund_id"),
		.refund_reason = row_text(row, "refund_reason"),
		.refund_status = row_text(row, "refund_status"),
		.user = row_text(row, "user_id"), .version = row_int(row, "version"),
		.attempt = row_int(row, "attempt"), .age_s = row_int(row, "age_s"),
		.tried_s = row_int(row, "tried_s"), .seconds_left = row_int(row, "seconds_left"),
		.past_deadline = row_bool(row, "past_deadline"),
	};
	return s;
}

const char *
saga_key(struct req *rq, const struct saga *s, const char *what)
{
	return fmt(rq, "order-%s-%s-%s", s->order, s->nonce, what);
}

const char *
saga_die(struct req *rq, const struct saga *s, const char *problem)
{
	log_line(LOG_ERROR, "a saga needs an operator", "saga", s->id, "order", s->order,
	    "step", s->step, "problem", problem, NULL);
	metric_add(&died, 1);
	return saga_outcome(db_one(rq, &stop_saga, s->id, s->epoch, "dead", problem));
}

const char *
saga_retry(struct req *rq, const struct saga *s, const struct stripe_reply *r, bool new_key)
{
	int64_t delay = r->outcome == STRIPE_DENIED ? DENIED_BACKOFF_MS :
	    lease_backoff_ms(s->attempt, FIRST_BACKOFF_MS, MAX_BACKOFF_MS);

	metric_add(&retried, 1);
	return saga_outcome(db_one(rq, &retry_later, s->id, s->epoch, text(rq, delay),
	    r->problem, new_key ? "true" : "false"));
}

/* The graph: who acts at which step of which kind. */
static const struct step {
	const char *kind;
	int64_t version;
	const char *step, *state;
	const char *(*act)(struct req *, struct saga *);
	struct metric *seconds;
} steps[] = {
#define STEP_OF(kind, version, step, state, act)			\
	{ #kind, version, #step, #state, act, &act##_seconds },
	SAGA_STEPS(STEP_OF)
};
enum { STEPS = sizeof(steps) / sizeof(*steps) };

static const struct step *
step_of(const struct saga *s)
{
	for (size_t i = 0; i < STEPS; i++)
		if (strcmp(steps[i].kind, s->kind) == 0 && steps[i].version == s->version &&
		    strcmp(steps[i].step, s->step) == 0 && strcmp(steps[i].state, s->state) == 0)
			return &steps[i];
	return NULL;
}

/* Those that can be driven here, as a Postgres array. */
static const char *
known_steps(struct req *rq)
{
	const char *list = "";

	for (size_t i = 0; i < STEPS; i++)
		list = fmt(rq, "%s%s%s/%lld/%s", list, i == 0 ? "" : ",", steps[i].kind,
		    (long long)steps[i].version, steps[i].step);
	return fmt(rq, "{%s}", list);
}

/* Claimed by its order or its id; a newer program has begun it. */
static const char *
leave_to_others(struct req *rq, const struct saga *s)
{
	log_line(LOG_ERROR, "a saga is at a step that this program does not have",
	    "saga", s->id, "kind", s->kind, "step", s->step, NULL);
	metric_add(&strange, 1);
	return saga_outcome(db_one(rq, &give_back, s->id, s->epoch, text(rq, UNKNOWN_BACKOFF_S),
	    "the program that had it does not know this step"));
}

/* NULL: it goes on. */
static const char *
take_step(struct req *rq, struct saga *s, const struct step *step, const char *trace)
{
	int64_t attempt = s->attempt;
	uint64_t start = now_us();
	struct span span;
	const char *outcome;

	span_begin_in(rq, &span, trace);
	outcome = step->act(rq, s);
	metric_observe_us(step->seconds, now_us() - start);
	if (span_is_on(rq))
		span_end(rq, &span, SPAN_INTERNAL,
		    fmt(rq, "saga %s %s", step->kind, step->step),
		    req_failed(rq) || one_of(outcome, "failed", "dead") ? "failed" : NULL,
		    "souk.saga.id", s->id, "souk.order.id", s->order,
		    "souk.saga.state", step->state, "souk.saga.attempt", text(rq, attempt),
		    "souk.saga.outcome", outcome == NULL ? "goes on" : outcome, NULL);
	return outcome;
}

const char *
saga_drive(struct req *rq, struct saga *s)
{
	const char *trace = trace_of_saga(rq, s), *outcome = NULL;

	while (outcome == NULL && !req_failed(rq)) {
		const struct step *step = step_of(s);

		if (step == NULL)
			return leave_to_others(rq, s);
		outcome = take_step(rq, s, step, trace);
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

void
saga_wait_undone(struct req *rq, const char *order)
{
	enum { PATIENCE_US = 4000000, LOOK_US = 30000 };
	const struct timespec pause = { 0, LOOK_US * 1000 };
	uint64_t start = now_us();

	while (row_bool(db_one(rq, &being_undone, order), "is_busy") &&
	    now_us() - start < PATIENCE_US)
		nanosleep(&pause, NULL);
}

const struct shape saga_run_shape = {
	.name = "SagaRun",
	.doc = "A saga that was driven, as far as it went",
	.fields = FIELDS(
		OUT(id,       ID,  "The saga", .example = "1"),
		OUT(order_id, ID,  "Its order", .example = "1"),
		OUT(outcome,  STR, "What became of it", .example = "\"paid\"")),
};

/* A newer program has begun them, and they wait for one. */
static void
tell_unknown(struct req *rq, int64_t n)
{
	static bool told;

	metric_set(&unknown, (uint64_t)n);
	if (n > 0 && !told)
		log_line(LOG_ERROR, "sagas should go on at a step that this program does not have",
		    "sagas", text(rq, n), NULL);
	told = n > 0;
}

/* Until the next alarm there is nothing to do.  One that rings now is somebody
 * else's, unless there are more than one run may do. */
static void
look_ahead(struct req *rq, const char *known, bool more, bool expired)
{
	const struct row *next = db_one(rq, &alarms, known);
	int64_t ms = row_text(next, "next_ms") == NULL ? -1 : row_int(next, "next_ms");

	if (next != NULL && !expired)	/* or both kinds of sweep would count them */
		tell_unknown(rq, row_int(next, "unknown"));
	run_again(rq, ms == 0 && !more ? LOOK_MS : ms);
}

/* A process holds the lease of one saga only: it takes the next when it is
 * done with one, and stops in good time.  Most of that time it waits for
 * Stripe, so that where there is more to do others join in. */
struct status
saga_sweep(struct req *rq, int n, bool expired)
{
	enum { SWEEP_US = 20000000, CALL_EVERY = 8 };
	uint64_t end = now_us() + SWEEP_US;
	struct json *answer = json_new(rq);
	const char *known = known_steps(rq);
	int driven = 0;

	json_open(answer, '{');
	json_key(answer, "sagas");
	json_open(answer, '[');
	while (driven < n && now_us() < end && !req_failed(rq)) {
		struct saga *s = saga_of(rq, db_one(rq, &claim_due, lease_owner(rq), "1",
		    text(rq, SAGA_LEASE_S), expired ? "true" : "false", known));

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
		if (++driven % CALL_EVERY == 0)
			req_call_help(rq);
	}
	json_close(answer);
	json_key(answer, "driven");
	json_int(answer, driven);
	look_ahead(rq, known, driven == n, expired);
	return reply_json(rq, 200, json_text(answer));
}
