#include "outbox.h"
#include "json.h"
#include "lease.h"
#include "sink.h"

SETTING_INT(attempts, "EVENT_ATTEMPTS", 500, 1, 1000000,
    "How often an event is sent in vain before it is given up: 500 are about two days");
COUNTER(events_sent, "events_total", "outcome=\"sent\"", "Events by what became of a try to send them");
COUNTER(events_retried, "events_total", "outcome=\"retry\"", "Events by what became of a try to send them");
COUNTER(events_dead, "events_total", "outcome=\"dead\"", "Events by what became of a try to send them");
COUNTER(events_lost, "events_total", "outcome=\"lost\"", "Events by what became of a try to send them");
HISTOGRAM(event_age, "event_age_seconds", "", "How old an event was when the sink took it");
GAUGE(outbox_waiting, "outbox_waiting_events", "", "Events that wait to be sent");
GAUGE(outbox_oldest, "outbox_oldest_waiting_seconds", "", "How long the oldest of them has waited");
GAUGE(outbox_dead, "outbox_dead_events", "", "Events that were given up, for an operator to look at");

enum {
	SWEEP_US = 20000000,
	LEASE_S = 3 * SINK_SECONDS,	/* and reporting takes its time too */
	FIRST_BACKOFF_MS = 1000,
	MAX_BACKOFF_MS = 10 * 60 * 1000,
	LOOK_MS = 1000
};

QUERY(claim,
	"SELECT id, uuid, type, subject, data, at, age_us, attempt, epoch,"
	"       lpad(id::text, 19, '0') AS sequence, traceparent"
	"  FROM ops.event_claim($1, $2)");
QUERY(end,
	"SELECT ops.event_end($1, $2, $3, $4) AS held");
QUERY(try_again,
	"SELECT ops.event_retry($1, $2, $3, $4) AS held");
QUERY(backlog,
	"SELECT waiting, oldest_ms, next_due_ms, dead FROM ops.event_backlog()");

struct run { int64_t sent, retried, dead, lost; };

static const struct row *
report(struct req *rq, const struct row *row, const struct sink_event *e, bool given_up)
{
	const char *id = row_text(row, "id"), *epoch = row_text(row, "epoch");

	if (e->outcome == SINK_TAKEN)
		return db_one(rq, &end, id, epoch, "sent", NULL);
	log_line(given_up ? LOG_ERROR : LOG_WARN, given_up ? "an event needs an operator"
	    : "an event is sent again later", "event", id, "type", e->type, "subject", e->subject,
	    "problem", e->problem, NULL);
	if (given_up)
		return db_one(rq, &end, id, epoch, "dead", e->problem);
	return db_one(rq, &try_again, id, epoch, text(rq, lease_backoff_ms(
	    row_int(row, "attempt"), FIRST_BACKOFF_MS, MAX_BACKOFF_MS)), e->problem);
}

static void
conclude(struct req *rq, struct run *run, const struct row *row, const struct sink_event *e)
{
	bool given_up = e->outcome == SINK_REFUSED || (e->outcome == SINK_AGAIN &&
	    row_int(row, "attempt") >= attempts.number);
	const struct row *told = report(rq, row, e, given_up);

	if (!row_bool(told, "held")) {
		metric_add(&events_lost, 1);
		run->lost++;
	} else if (e->outcome == SINK_TAKEN) {
		metric_add(&events_sent, 1);
		metric_observe_us(&event_age, (uint64_t)row_int(row, "age_us"));
		run->sent++;
	} else if (given_up) {
		metric_add(&events_dead, 1);
		run->dead++;
	} else {
		metric_add(&events_retried, 1);
		run->retried++;
	}
}

/* False when the sink took none: then it is left alone for a while. */
static bool
send_batch(struct req *rq, struct run *run, const struct rows *batch)
{
	struct sink_event events[SINK_AT_ONCE];
	size_t n = rows_count(batch);
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		const struct row *row = rows_at(batch, i);

		events[i] = (struct sink_event){
			.id = row_text(row, "uuid"), .sequence = row_text(row, "sequence"),
			.type = row_text(row, "type"), .subject = row_text(row, "subject"),
			.time = row_text(row, "at"), .data = row_text(row, "data"),
			.trace = row_text(row, "traceparent"),
		};
	}
	fault_point("relay_after_claim");
	sink_post(rq, events, n);
	fault_point("relay_after_send");
	for (size_t i = 0; i < n; i++) {
		conclude(rq, run, rows_at(batch, i), &events[i]);
		any = any || events[i].outcome != SINK_AGAIN;
	}
	fault_point("relay_after_report");
	return any;
}

static void
write_count(struct json *answer, const char *name, int64_t n)
{
	json_key(answer, name);
	json_int(answer, n);
}

static struct status
answer(struct req *rq, const struct run *run, const struct row *left)
{
	struct json *j = json_new(rq);

	json_open(j, '{');
	json_key(j, "sink");
	json_bool(j, sink_url() != NULL);
	write_count(j, "sent", run->sent);
	write_count(j, "retried", run->retried);
	write_count(j, "dead", run->dead);
	write_count(j, "lost", run->lost);
	json_key(j, "waiting");
	json_raw(j, row_text(left, "waiting") == NULL ? "null" : row_text(left, "waiting"));
	json_key(j, "oldest_ms");
	json_raw(j, row_text(left, "oldest_ms") == NULL ? "null" : row_text(left, "oldest_ms"));
	return reply_json(rq, 200, json_text(j));
}

/* When there will be more to do.  While the sink is away each second has a try;
 * what is due even though there was nothing to claim is another run's. */
static const struct row *
look_ahead(struct req *rq, bool more, bool away)
{
	const struct row *left = db_one(rq, &backlog);
	int64_t next_ms = row_text(left, "next_due_ms") == NULL ? -1 : row_int(left, "next_due_ms");

	metric_set(&outbox_waiting, (uint64_t)row_int(left, "waiting"));
	metric_set(&outbox_oldest, (uint64_t)row_int(left, "oldest_ms") / 1000);
	metric_set(&outbox_dead, (uint64_t)row_int(left, "dead"));
	run_again(rq, away || (!more && next_ms == 0) ? LOOK_MS : next_ms);
	return left;
}

struct status
outbox_relay(struct req *rq)
{
	uint64_t until = now_us() + SWEEP_US;
	struct run run = { 0 };
	const struct rows *batch;
	bool more, away = false;

	if (sink_url() == NULL)
		return answer(rq, &run, NULL);
	do {
		batch = db_all(rq, &claim, text(rq, SINK_AT_ONCE), text(rq, LEASE_S));
		more = rows_count(batch) > 0;
		if (more)
			away = !send_batch(rq, &run, batch);
	} while (more && !away && !req_failed(rq) && now_us() < until);
	return answer(rq, &run, look_ahead(rq, more, away));
}
