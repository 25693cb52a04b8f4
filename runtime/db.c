#include "db.h"
#include "http.h"
#include "peer.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

SETTING_SECRET(database_url, "DATABASE_URL",
    "The Postgres connection URI, with the login role of this function's context");
HISTOGRAM(query_seconds, "db_query_duration_seconds", "",
    "Time a handler waits for a round trip to Postgres");
COUNTER(reruns, "db_reruns_total", "",
    "Handlers run again after a serialization failure or a deadlock");

enum {
	MAX_PREPARED = 64,
	MAX_ARGUMENTS = 32,
	CONNECT_TIMEOUT_MS = 2000,
	STATEMENT_PATIENCE_MS = 12000,	/* the server gives up before: its timeout */
	BACKOFF_MS = 1000,		/* between connection attempts */
	PATIENCE_S = 10			/* for whoever is making a kept answer */
};

struct rows { PGresult *result; struct row *first; };
struct row { const struct rows *rows; int index; };

struct held { PGresult *result; struct held *next; };

static struct {
	PGconn *connection;
	const struct query *prepared[MAX_PREPARED];
	size_t prepared_count;
	uint64_t retry_at_us;
	struct held *held;		/* results the current request points into */
	/* The current request's transaction: */
	bool each;			/* statements commit by themselves */
	bool open;			/* BEGIN was sent */
	bool claimed;			/* so was the idempotency key */
	bool broken;			/* a statement failed; only rollback helps */
	bool rerun;
	bool replan;			/* on a connection with no old plans */
	bool taken;			/* the idempotency key was */
} db;

static const struct query claim_key = { "claim_key",
	"SELECT ops.idempotency_begin($1, $2, $3, NULL)", __FILE__ };
static const struct query find_key = { "find_key",
	"SELECT outcome, status, body, reference"
	"  FROM ops.idempotency_find($1, $2, $3, $4)", __FILE__ };
static const struct query keep_answer = { "keep_answer",
	"SELECT ops.idempotency_end($1, $2, $3, $4)", __FILE__ };
SECTION_("queries") static const struct query *const claim_key_query = &claim_key;
SECTION_("queries") static const struct query *const find_key_query = &find_key;
SECTION_("queries") static const struct query *const keep_answer_query = &keep_answer;

void
db_disconnect(void)
{
	PQfinish(db.connection);
	db.connection = NULL;
	db.prepared_count = 0;
}

static void
away(struct req *rq, const char *what)
{
	log_line(LOG_ERROR, "postgres is away", "request_id", rq->id, "problem", what, NULL);
	db_disconnect();
	db.broken = true;
	db.retry_at_us = now_us() + BACKOFF_MS * 1000;
	fail_text(rq, ERR_UNAVAILABLE, "The database does not answer; try again shortly");
}

/* Waits until the socket is ready; false when it takes too long. */
static bool
await(short events, uint64_t deadline_us)
{
	struct pollfd p = { .fd = PQsocket(db.connection), .events = events };

	for (;;) {
		uint64_t now = now_us();
		int ready;

		if (now >= deadline_us)
			return false;
		ready = poll(&p, 1, (int)((deadline_us - now) / 1000) + 1);
		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR)
			return false;
	}
}

static void
ignore_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

/* libpq's own connect_timeout counts whole seconds, two at least. */
static bool
connect_within(uint64_t deadline_us)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	db.connection = PQconnectStart(database_url.text);
	while (PQstatus(db.connection) != CONNECTION_BAD && state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED ||
		    !await(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us))
			return false;
		state = PQconnectPoll(db.connection);
	}
	return PQstatus(db.connection) == CONNECTION_OK;
}

static bool
ensure_connection(struct req *rq)
{
	if (db.connection != NULL && (db.replan || peer_is_gone(PQsocket(db.connection))))
		db_disconnect();
	db.replan = false;
	if (db.connection != NULL)
		return true;
	/* While it is known to be away, say so at once. */
	if (now_us() < db.retry_at_us) {
		db.broken = true;
		fail_text(rq, ERR_UNAVAILABLE, "The database does not answer; try again shortly");
		return false;
	}
	if (!connect_within(now_us() + CONNECT_TIMEOUT_MS * 1000) ||
	    PQenterPipelineMode(db.connection) != 1 ||
	    PQsetnonblocking(db.connection, 1) != 0) {
		away(rq, PQerrorMessage(db.connection));
		return false;
	}
	PQsetNoticeReceiver(db.connection, ignore_notice, NULL);
	return true;
}

/* What is on its way in one flight, and what to make of each answer. */
enum part { PART_PREPARE, PART_BEGIN, PART_STATEMENT, PART_WANTED, PART_COMMIT };
struct flight {
	enum part parts[8];
	const struct query *queries[8];
	size_t count;
	bool sent;
};

static void
part(struct flight *f, enum part p, const struct query *q, int sent)
{
	f->parts[f->count] = p;
	f->queries[f->count++] = q;
	f->sent = f->sent && sent == 1;
}

static bool
is_prepared(const struct query *q)
{
	for (size_t i = 0; i < db.prepared_count; i++)
		if (db.prepared[i] == q)
			return true;
	return false;
}

static void
add_command(struct flight *f, enum part p, const char *sql)
{
	part(f, p, NULL, PQsendQueryParams(db.connection, sql, 0, NULL, NULL, NULL, NULL, 0));
}

static void
add_statement(struct flight *f, enum part p, const struct query *q,
    const char *const *arguments, int n)
{
	if (!is_prepared(q))
		part(f, PART_PREPARE, q, PQsendPrepare(db.connection, q->name, q->sql, 0, NULL));
	part(f, p, q, PQsendQueryPrepared(db.connection, q->name, n, arguments, NULL, NULL, 0));
}

static const char *
strip_braces(struct req *rq, const char *object)
{
	size_t n = strlen(object);

	return n > 2 && object[0] == '{' ? arena_copy(&rq->arena, object + 1, n - 2) : NULL;
}

/* A SQL function has refused the request: see fn.h. */
static void
refused_by_sql(struct req *rq, const PGresult *r)
{
	const char *code = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);
	const char *detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL);
	enum err e = error_named(code);

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
		/* 0A000: a plan outlived a migration. */
		db.replan = strcmp(state, "0A000") == 0;
		db.rerun = true;
		fail(rq, ERR_UNAVAILABLE);
	} else if (strncmp(state, "08", 2) == 0 || strncmp(state, "57", 2) == 0 ||
	    strncmp(state, "53", 2) == 0 || strcmp(state, "55P03") == 0) {
		log_line(LOG_WARN, "postgres refuses", "request_id", rq->id, "query",
		    q == NULL ? "" : q->name, "problem", PQresultErrorMessage(r), NULL);
		fail_text(rq, ERR_UNAVAILABLE, "The database is busy; try again shortly");
	} else {
		log_line(LOG_ERROR, "a statement failed", "request_id", rq->id, "query",
		    q == NULL ? "" : q->name, "sqlstate", state, "problem",
		    PQresultErrorMessage(r), NULL);
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

/* The next answer of the pipeline; NULL when the connection is lost. */
static PGresult *
next_result(uint64_t deadline_us)
{
	int flushed;

	while ((flushed = PQflush(db.connection)) == 1 || PQisBusy(db.connection)) {
		if (!await(flushed == 1 ? POLLIN | POLLOUT : POLLIN, deadline_us) ||
		    PQconsumeInput(db.connection) != 1)
			return NULL;
	}
	return flushed < 0 ? NULL : PQgetResult(db.connection);
}

/* Takes one answer in; false when it was an error. */
static bool
take(struct req *rq, struct flight *f, size_t i, PGresult *r, PGresult **wanted)
{
	ExecStatusType status = PQresultStatus(r);

	if (status == PGRES_FATAL_ERROR) {
		statement_failed(rq, r, f->queries[i]);
	} else if (status == PGRES_PIPELINE_ABORTED) {
		db.broken = true;	/* by an error before it, taken already */
	} else if (f->parts[i] == PART_PREPARE) {
		if (db.prepared_count < MAX_PREPARED)
			db.prepared[db.prepared_count++] = f->queries[i];
	} else if (f->parts[i] == PART_WANTED) {
		hold(rq, r);
		*wanted = r;
		return true;
	}
	status = PQresultStatus(r);
	PQclear(r);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* Sends the flight and takes every answer.  The wanted result, or NULL. */
static PGresult *
fly(struct req *rq, struct flight *f)
{
	uint64_t start = now_us(), deadline = start + STATEMENT_PATIENCE_MS * 1000;
	PGresult *wanted = NULL, *r;
	bool good = true;

	if (!f->sent || PQpipelineSync(db.connection) != 1) {
		away(rq, PQerrorMessage(db.connection));
		return NULL;
	}
	for (size_t i = 0; i < f->count; i++) {
		if ((r = next_result(deadline)) == NULL) {
			away(rq, PQerrorMessage(db.connection));
			return NULL;
		}
		good = take(rq, f, i, r, &wanted) && good;
		r = next_result(deadline);	/* the NULL that ends each */
		PQclear(r);
	}
	r = next_result(deadline);
	if (PQresultStatus(r) != PGRES_PIPELINE_SYNC) {
		PQclear(r);
		away(rq, PQerrorMessage(db.connection));
		return NULL;
	}
	PQclear(r);
	rq->db_us += now_us() - start;
	rq->statements++;
	metric_observe_us(&query_seconds, now_us() - start);
	return good ? wanted : NULL;
}

static PGresult *
run(struct req *rq, const void *const *arguments, int n)
{
	const char *values[MAX_ARGUMENTS];
	struct flight f = { .sent = true };

	if (rq->decided || db.broken || !ensure_connection(rq))
		return NULL;
	for (int i = 1; i < n && i <= MAX_ARGUMENTS; i++)
		values[i - 1] = arguments[i];
	if (!db.each && !db.open) {
		add_command(&f, PART_BEGIN, "BEGIN");
		db.open = true;
		if (rq->idempotency_key != NULL && rq->reference == NULL &&
		    rq->entry->endpoint->idempotent) {
			add_statement(&f, PART_STATEMENT, &claim_key, (const char *const[]){
			    rq->user == NULL ? "0" : rq->user, rq->idempotency_key,
			    req_fingerprint(rq) }, 3);
			db.claimed = true;
		}
	}
	add_statement(&f, PART_WANTED, arguments[0], values, n - 1);
	return fly(rq, &f);
}

const struct rows *
db_all_(struct req *rq, const void *const *arguments, int n)
{
	PGresult *result = run(rq, arguments, n);
	struct rows *rows;
	int count;

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
db_rollback(struct req *rq)
{
	struct flight f = { .sent = true };

	if (db.open && db.connection != NULL) {
		add_command(&f, PART_STATEMENT, "ROLLBACK");
		fly(rq, &f);
	}
	db.open = false;
}

/* The answer goes with the effect, so that a repeated request gets it again. */
static void
add_answer(struct req *rq, struct flight *f)
{
	add_statement(f, PART_STATEMENT, &keep_answer, (const char *const[]){
	    rq->user == NULL ? "0" : rq->user, rq->idempotency_key,
	    text(rq, rq->status), rq->body_out }, 4);
}

bool
db_commit(struct req *rq)
{
	struct flight f = { .sent = true };

	if (db.broken || !db.open)
		return !db.broken;
	if (db.claimed)
		add_answer(rq, &f);
	add_command(&f, PART_COMMIT, "COMMIT");
	rq->decided = false;	/* a failure may still replace the reply */
	fly(rq, &f);
	db.open = false;
	rq->decided = true;
	return !db.broken;
}

void
db_keep_answer(struct req *rq)
{
	struct flight f = { .sent = true };

	if (!ensure_connection(rq))
		return;
	add_answer(rq, &f);
	fly(rq, &f);
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
db_idempotency_taken(struct req *rq)
{
	const struct row *found;
	const char *outcome;

	if (!db.taken)
		return false;
	reply_clear(rq);
	db_begin(rq, true);
	found = db_one(rq, &find_key, rq->user == NULL ? "0" : rq->user,
	    rq->idempotency_key, req_fingerprint(rq), text(rq, PATIENCE_S));
	outcome = row_text(found, "outcome");
	if (outcome == NULL) {
		fail(rq, ERR_REQUEST_IN_PROGRESS);	/* its owner has just rolled back */
	} else if (strcmp(outcome, "replay") == 0) {
		reply_header(rq, "Idempotent-Replayed", "true");
		reply_json(rq, (int)row_int(found, "status"), row_text(found, "body"));
	} else if (strcmp(outcome, "mismatch") == 0) {
		fail(rq, ERR_IDEMPOTENCY_KEY_REUSED);
	} else if (strcmp(outcome, "running") == 0) {
		fail(rq, ERR_REQUEST_IN_PROGRESS);
	} else {
		rq->reference = row_text(found, "reference");
	}
	return true;
}

void
db_release(struct req *rq)
{
	(void)rq;
	for (; db.held != NULL; db.held = db.held->next)
		PQclear(db.held->result);
}

bool
db_ping(struct req *rq)
{
	static const struct query ping = { "ping", "SELECT 1", __FILE__ };

	db.retry_at_us = 0;
	return db_one(rq, &ping) != NULL;
}
