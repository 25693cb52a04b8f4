#include "cloudevent.h"
#include "db.h"
#include "http.h"
#include "pg.h"
#include "represent.h"
#include "span.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

HISTOGRAM(query_seconds, "db_query_duration_seconds", "",
    "Time a handler waits for a round trip to Postgres");
COUNTER(reruns, "db_reruns_total", "",
    "Handlers run again after a serialization failure or a deadlock");

enum {
	MAX_ARGUMENTS = 32,
	PATIENCE_S = 10,	/* for whoever is making a kept answer */
	TWIN_WAITS_MS = 300,	/* for it to be made: as long as making it takes */
	PAUSE_MS = 20
};

/* What a database has to say is worth compressing: this links gzip.c. */
__attribute__((used)) static const char *(*const links_gzip)(struct req *,
    const char *, size_t, size_t *) = gzip;

/* Only with a database can an event be known again: this links cloudevent.c. */
__attribute__((used)) static bool (*const links_events)(struct req *) = cloudevent_take;

struct rows { PGresult *result; struct row *first; };
struct row { const struct rows *rows; int index; };

struct held { PGresult *result; struct held *next; };

/* Of the current request: */
static struct {
	struct held *held;	/* results its rows point into */
	bool each;		/* statements commit by themselves */
	bool open;		/* BEGIN was sent */
	bool claimed;		/* so was the idempotency key */
	bool broken;		/* a statement failed; only rollback helps */
	bool rerun;		/* ... but another try may go better */
	bool taken;		/* the idempotency key was */
} db;

static const struct query claim_key = { "claim_key",
	"SELECT ops.idempotency_begin($1, $2, $3, NULL)", __FILE__ };
static const struct query claim_event = { "claim_event",
	"SELECT ops.idempotency_begin(-1, $1, $2, 'event')", __FILE__ };
static const struct query recall_key = { "recall_key",
	"SELECT outcome, status, headers, body, reference"
	"  FROM ops.idempotency_recall($1, $2, $3, $4)", __FILE__ };
static const struct query keep_answer = { "keep_answer",
	"SELECT ops.idempotency_keep($1, $2, $3, $4, $5) AS kept", __FILE__ };
SECTION_("queries") static const struct query *const claim_key_query = &claim_key;
SECTION_("queries") static const struct query *const claim_event_query = &claim_event;
SECTION_("queries") static const struct query *const recall_key_query = &recall_key;
SECTION_("queries") static const struct query *const keep_answer_query = &keep_answer;

void
db_disconnect(void)
{
	pg_disconnect();
}

static void
away(struct req *rq, const char *problem)
{
	if (problem != NULL)
		log_line(LOG_ERROR, "postgres is away", "request_id", rq->id,
		    "problem", problem, NULL);
	db.broken = true;
	fail_text(rq, ERR_UNAVAILABLE, "The database does not answer; try again shortly");
}

static bool
ready(struct req *rq, struct pg_flight *f)
{
	const char *problem;

	pg_begin(f);
	if (pg_ready(&problem))
		return true;
	away(rq, problem);
	return false;
}

static const char *
strip_braces(struct req *rq, const char *object)
{
	size_t n = strlen(object);

	return n > 2 && object[0] == '{' ? arena_copy(&rq->arena, object + 1, n - 2) : NULL;
}

/* Without its detail, which may be a whole row, secrets and all. */
static const char *
problem_of(struct req *rq, const PGresult *r)
{
	const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	const char *context = PQresultErrorField(r, PG_DIAG_CONTEXT);

	return context == NULL ? message : fmt(rq, "%s, in %s", message, context);
}

/* A SQL function has refused the request: see fn.h. */
static void
refused_by_sql(struct req *rq, const PGresult *r)
{
	const char *code = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);
	const char *detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL);
	enum err e = code == NULL ? ERR_NONE : error_named(code);

	if (e == ERR_NONE) {
		log_line(LOG_ERROR, "SQL raised an unknown refusal", "code", code, NULL);
		e = ERR_INTERNAL;
	}
	if (rq->decided)
		return;
	if (detail != NULL)
		rq->problem_members = strip_braces(rq, detail);
	if (hint != NULL)
		rq->detail = fmt(rq, "%s", hint);
	fail(rq, e);
}

static void
statement_failed(struct req *rq, const PGresult *r, const struct query *q)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	db.broken = true;
	state = state == NULL ? "" : state;
	if (strcmp(state, "SK000") == 0) {
		refused_by_sql(rq, r);
	} else if (strcmp(state, "SK001") == 0) {
		db.taken = true;
		fail(rq, ERR_REQUEST_IN_PROGRESS);
	} else if (one_of(state, "40001", "40P01", "0A000")) {
		if (strcmp(state, "0A000") == 0)	/* a plan outlived a migration */
			pg_forget_plans();
		db.rerun = true;
		fail(rq, ERR_UNAVAILABLE);
	} else if (one_of(state, "23503", "23505")) {
		/* Another transaction was faster: run again, and this time the
		 * handler's own check sees what that one has made or taken. */
		log_line(LOG_WARN, "a statement came too late", "request_id", rq->id, "query",
		    q == NULL ? "" : q->name, "problem", problem_of(rq, r), NULL);
		db.rerun = true;
		fail(rq, ERR_INTERNAL);
	} else if (strncmp(state, "08", 2) == 0 || strncmp(state, "57", 2) == 0 ||
	    strncmp(state, "53", 2) == 0 || strcmp(state, "55P03") == 0) {
		log_line(LOG_WARN, "postgres refuses", "request_id", rq->id, "query",
		    q == NULL ? "" : q->name, "problem", problem_of(rq, r), NULL);
		fail_text(rq, ERR_UNAVAILABLE, "The database is busy; try again shortly");
	} else {
		log_line(LOG_ERROR, "a statement failed", "request_id", rq->id, "query",
		    q == NULL ? "" : q->name, "sqlstate", state, "problem",
		    problem_of(rq, r), NULL);
		fail(rq, ERR_INTERNAL);
	}
}

static void
hold(struct req *rq, PGresult *r)
{
	struct held *h = mem(rq, sizeof(*h));

	*h = (struct held){ r, db.held };
	db.held = h;
}

/* Looks every answer over.  The last one, held for the request, or NULL when
 * any was an error; the errors behind the first are only its echo. */
static PGresult *
look_over(struct req *rq, struct pg_flight *f)
{
	PGresult *last = f->results[f->count - 1];

	for (size_t i = 0; i < f->count; i++) {
		PGresult *r = f->results[i];
		ExecStatusType status = PQresultStatus(r);

		hold(rq, r);
		if (status == PGRES_FATAL_ERROR)
			statement_failed(rq, r, f->queries[i]);
		else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
			db.broken = true;
	}
	return db.broken ? NULL : last;
}

static void
note_flight(struct req *rq, const struct pg_flight *f, uint64_t start, const char *problem)
{
	const struct query *q = f->queries[f->count - 1];
	const char *name = q == NULL ? "COMMIT" : q->name, *state = NULL;

	for (size_t i = 0; i < f->count && problem == NULL && state == NULL; i++)
		state = PQresultErrorField(f->results[i], PG_DIAG_SQLSTATE);
	span_note(rq, start, SPAN_CLIENT, name, problem != NULL ? problem : state,
	    "db.system.name", "postgresql", "db.query.summary", name,
	    "code.file.path", q == NULL ? NULL : q->file,
	    "db.response.status_code", state, NULL);
}

static PGresult *
fly(struct req *rq, struct pg_flight *f)
{
	uint64_t start = now_us();
	const char *problem = NULL;
	bool arrived = pg_fly(f, &problem);

	rq->db_us += now_us() - start;
	rq->statements++;
	metric_observe_us(&query_seconds, now_us() - start);
	note_flight(rq, f, start, arrived ? NULL : problem);
	if (arrived)
		return look_over(rq, f);
	away(rq, problem);
	return NULL;
}

/* What a row is written for, its default can tell (schema/180_traces.sql): until
 * the end of the transaction, which where each statement is one is the flight. */
static void
tell_trace(struct req *rq, struct pg_flight *f)
{
	if (span_is_on(rq) && rq->entry != NULL && rq->entry->endpoint->method != HTTP_GET)
		pg_add_command(f, fmt(rq, "SELECT pg_catalog.set_config('souk.traceparent', '%s', true)",
		    req_trace(rq)));
}

static const char *
key_owner(const struct req *rq)
{
	return rq->event ? "-1" : rq->user == NULL ? "0" : rq->user;
}

/* BEGIN, and the claim of the idempotency key, go with the first statement. */
static void
open_transaction(struct req *rq, struct pg_flight *f)
{
	pg_add_command(f, "BEGIN");
	tell_trace(rq, f);
	db.open = true;
	if (rq->idempotency_key == NULL || rq->reference != NULL)
		return;
	pg_add_statement(f, &claim_key, (const char *const[]){ key_owner(rq),
	    rq->idempotency_key, req_fingerprint(rq) }, 3);
	db.claimed = true;
}

/* Each statement is a place to die at, before and after it. */
static void
pass(struct req *rq, const char *when, const struct query *q)
{
#ifdef FAULT_POINTS
	const char *slash = strrchr(q->file, '/');
	const char *file = slash == NULL ? q->file : slash + 1;

	fault_point(fmt(rq, "%.*s.%s.%s", (int)strcspn(file, "."), file, q->name, when));
#else
	(void)rq, (void)when, (void)q;
#endif
}

static PGresult *
run(struct req *rq, const void *const *arguments, int n)
{
	const char *values[MAX_ARGUMENTS];
	struct pg_flight f;
	PGresult *result;

	if (rq->decided || db.broken || !ready(rq, &f))
		return NULL;
	pass(rq, "before", arguments[0]);
	for (int i = 1; i < n && i <= MAX_ARGUMENTS; i++)
		values[i - 1] = arguments[i];
	if (!db.each && !db.open)
		open_transaction(rq, &f);
	else if (db.each)
		tell_trace(rq, &f);
	pg_add_statement(&f, arguments[0], values, n - 1);
	result = fly(rq, &f);
	pass(rq, "after", arguments[0]);
	return result;
}

const struct rows *
db_all_(struct req *rq, const void *const *arguments, int n)
{
	struct rows *rows;
	PGresult *result;
	int count;

	if (rq->decided)
		return NULL;
	result = run(rq, arguments, n);
	for (int tries = 1; db.each && db.rerun && tries < 4; tries++) {
		db.rerun = db.broken = false;
		metric_add(&reruns, 1);
		reply_clear(rq);	/* of the refusal for want of another try */
		result = run(rq, arguments, n);
	}
	if (result == NULL)
		return NULL;
	count = PQntuples(result);
	rows = mem(rq, sizeof(*rows));
	rows->result = result;
	rows->first = mem(rq, sizeof(struct row) * (size_t)(count + 1));
	for (int i = 0; i < count; i++)
		rows->first[i] = (struct row){ rows, i };
	return rows;
}

const struct row *
db_one_(struct req *rq, const void *const *arguments, int n)
{
	return rows_at(db_all_(rq, arguments, n), 0);
}

int64_t
db_run_(struct req *rq, const void *const *arguments, int n)
{
	const struct rows *rows = db_all_(rq, arguments, n);

	return rows == NULL ? 0 : strtoll(PQcmdTuples(rows->result), NULL, 10);
}

size_t
rows_count(const struct rows *rows)
{
	return rows == NULL ? 0 : (size_t)PQntuples(rows->result);
}

const struct row *
rows_at(const struct rows *rows, size_t i)
{
	return i < rows_count(rows) ? &rows->first[i] : NULL;
}

static const char *
cell(const struct row *row, int column)
{
	const PGresult *r;

	if (row == NULL || column < 0)
		return NULL;
	r = row->rows->result;
	return PQgetisnull(r, row->index, column) ? NULL : PQgetvalue(r, row->index, column);
}

const char *
row_text(const struct row *row, const char *column)
{
	return row == NULL ? NULL : cell(row, PQfnumber(row->rows->result, column));
}

int64_t
row_int(const struct row *row, const char *column)
{
	const char *s = row_text(row, column);

	return s == NULL ? 0 : strtoll(s, NULL, 10);
}

bool
row_bool(const struct row *row, const char *column)
{
	const char *s = row_text(row, column);

	return s != NULL && *s == 't';
}

struct status
reply_row(struct req *rq, int http_status, const struct row *row)
{
	return reply_json(rq, http_status, cell(row, 0));
}

void
db_begin(struct req *rq, bool each)
{
	(void)rq;
	db.each = each;
	db.open = db.claimed = db.broken = db.rerun = db.taken = false;
}

void
db_together(struct req *rq)
{
	(void)rq;
	db.each = false;
}

void
db_rollback(void)
{
	struct pg_flight f;
	const char *problem;

	pg_begin(&f);
	/* A lost connection has rolled back by itself; a new one has nothing to. */
	if (db.open && pg_is_connected()) {
		pg_add_command(&f, "ROLLBACK");
		if (pg_fly(&f, &problem))
			PQclear(f.results[0]);
	}
	db.open = false;
}

/* What the endpoint itself said of its answer, as it is kept. */
static const char *
answer_headers(struct req *rq)
{
	const char *lines = fmt(rq, "Content-Type: %s\n", rq->content_type_out);

	for (const struct header *h = rq->headers; h != NULL; h = h->next)
		lines = fmt(rq, "%s%s: %s\n", lines, h->name, h->value);
	return lines;
}

/* The answer goes with the effect, so that a repeated request gets it again. */
static void
add_answer(struct req *rq, struct pg_flight *f)
{
	pg_add_statement(f, &keep_answer, (const char *const[]){ key_owner(rq),
	    rq->idempotency_key, text(rq, rq->status), answer_headers(rq),
	    rq->body_out }, 5);
}

bool
db_commit(struct req *rq)
{
	struct pg_flight f;

	if (db.broken || !db.open)
		return !db.broken;
	pg_begin(&f);
	if (db.claimed)
		add_answer(rq, &f);
	pg_add_command(&f, "COMMIT");
	rq->decided = false;	/* a failure may still replace the reply */
	fault_point("commit.before");
	fly(rq, &f);
	fault_point("commit.after");
	db.open = false;
	rq->decided = true;
	return !db.broken;
}

void
db_keep_answer(struct req *rq)
{
	struct pg_flight f;
	PGresult *kept;

	if (!ready(rq, &f))
		return;
	add_answer(rq, &f);
	kept = fly(rq, &f);
	if (kept == NULL || *PQgetvalue(kept, 0, 0) == 't')
		return;
	/* Somebody took this for dead and was faster: theirs is the answer. */
	reply_clear(rq);
	db_recall(rq);
}

bool
db_should_rerun(struct req *rq)
{
	if (!db.rerun)
		return false;
	metric_add(&reruns, 1);
	log_line(LOG_INFO, "running the handler again", "request_id", rq->id, NULL);
	return true;
}

bool
db_claim_event(struct req *rq)
{
	return db_one(rq, &claim_event, rq->idempotency_key, rq->fingerprint) != NULL;
}

bool
db_key_was_taken(void)
{
	return db.taken;
}

/* The handler's part of the answer, as answer_headers() wrote it. */
static void
replay(struct req *rq, const struct row *found)
{
	const char *type = "application/json", *body = row_text(found, "body");
	char *line = fmt(rq, "%s", row_text(found, "headers")), *end;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		char *value = strstr(line, ": ");

		*value = *end = '\0';
		if (strcmp(line, "Content-Type") == 0)
			type = value + 2;
		else
			reply_header(rq, line, value + 2);
	}
	reply_header(rq, "Idempotent-Replayed", "true");
	reply_bytes(rq, (int)row_int(found, "status"), type, body, strlen(body));
}

/* A twin still at work is waited for a little: most are done by then, and it
 * keeps this worker no longer than a request of its own would. */
static const struct row *
find_kept(struct req *rq)
{
	const struct row *found;

	for (int waited = 0; ; waited += PAUSE_MS) {
		found = db_one(rq, &recall_key, key_owner(rq), rq->idempotency_key,
		    req_fingerprint(rq), text(rq, PATIENCE_S));
		if (!one_of(row_text(found, "outcome"), "running") ||
		    waited >= TWIN_WAITS_MS)
			return found;
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
	}
}

bool
db_recall(struct req *rq)
{
	const struct row *found;
	const char *outcome;

	db_begin(rq, true);
	found = find_kept(rq);
	outcome = row_text(found, "outcome");
	if (one_of(outcome, "replay"))
		replay(rq, found);
	else if (one_of(outcome, "mismatch"))
		fail(rq, ERR_IDEMPOTENCY_KEY_REUSED);
	else if (one_of(outcome, "running"))
		fail(rq, ERR_REQUEST_IN_PROGRESS);
	else
		rq->reference = row_text(found, "reference");
	return rq->decided;
}

static void
let_go(const struct held *until)
{
	for (; db.held != until; db.held = db.held->next)
		PQclear(db.held->result);
}

void
db_release(struct req *rq)
{
	(void)rq;
	let_go(NULL);
}

struct mark { struct held *held; struct arena_mark arena; };

struct mark *
mem_mark(struct req *rq)
{
	struct mark *m = mem(rq, sizeof(*m));

	*m = (struct mark){ db.held, arena_mark(&rq->arena) };
	return m;
}

void
mem_release(struct req *rq, const struct mark *m)
{
	if (rq->decided)
		return;		/* the refusal may be made of it */
	let_go(m->held);
	arena_release(&rq->arena, &m->arena);
}

bool
db_ping(struct req *rq)
{
	static const struct query ping = { "ping", "SELECT 1", __FILE__ };

	pg_expect_back();
	return db_one(rq, &ping) != NULL;
}
