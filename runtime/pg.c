#include "peer.h"
#include "pg.h"
#include "wake.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

SETTING_SECRET(database_url, "DATABASE_URL",
    "The Postgres connection URI, with the login role of this function's context");

enum {
	MAX_PREPARED = 64,
	CONNECT_TIMEOUT_US = 5000000,		/* a busy server takes its time; one that is away says so */
	STATEMENT_PATIENCE_US = 12000000,	/* the server's own timeout is shorter */
	BACKOFF_US = 1000000			/* between attempts to connect */
};

static PGconn *connection;
static const struct query *prepared[MAX_PREPARED];
static size_t prepared_count;
static uint64_t retry_at_us;
static bool plans_are_old;

void
pg_disconnect(void)
{
	PQfinish(connection);
	connection = NULL;
	prepared_count = 0;
}

bool
pg_is_connected(void)
{
	return connection != NULL;
}

void
pg_forget_plans(void)
{
	plans_are_old = true;
}

void
pg_expect_back(void)
{
	retry_at_us = 0;
}

static bool
lost(const char **problem)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s", PQerrorMessage(connection));
	*problem = text;
	pg_disconnect();
	retry_at_us = now_us() + BACKOFF_US;
	return false;
}

/* Waits until the socket is ready; false when it takes too long. */
static bool
await(short events, uint64_t deadline_us)
{
	struct pollfd p = { .fd = PQsocket(connection), .events = events };

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

/* Of notices only one kind matters: somebody is to be woken (ops.wake()). */
static void
take_notice(void *context, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *topic = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	(void)context;
	if (state != NULL && topic != NULL && strcmp(state, "SK002") == 0)
		wake_note(topic);
}

/* libpq's own connect_timeout counts whole seconds, two at least. */
static bool
connect_within(uint64_t deadline_us)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	connection = PQconnectStart(database_url.text);
	while (PQstatus(connection) != CONNECTION_BAD && state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED ||
		    !await(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us))
			return false;
		state = PQconnectPoll(connection);
	}
	return PQstatus(connection) == CONNECTION_OK;
}

bool
pg_ready(const char **problem)
{
	if (connection != NULL && (plans_are_old || peer_is_gone(PQsocket(connection))))
		pg_disconnect();
	plans_are_old = false;
	*problem = NULL;
	if (connection != NULL)
		return true;
	if (now_us() < retry_at_us)
		return false;
	if (!connect_within(now_us() + CONNECT_TIMEOUT_US) ||
	    PQenterPipelineMode(connection) != 1 || PQsetnonblocking(connection, 1) != 0)
		return lost(problem);
	PQsetNoticeReceiver(connection, take_notice, NULL);
	return true;
}

void
pg_begin(struct pg_flight *f)
{
	*f = (struct pg_flight){ .sent = true };
}

static void
add_part(struct pg_flight *f, const struct query *q, bool prepares, int sent)
{
	f->prepares[f->count] = prepares;
	f->queries[f->count++] = q;
	f->sent = f->sent && sent == 1;
}

static bool
is_prepared(const struct query *q)
{
	for (size_t i = 0; i < prepared_count; i++)
		if (prepared[i] == q)
			return true;
	return false;
}

void
pg_add_command(struct pg_flight *f, const char *sql)
{
	add_part(f, NULL, false,
	    PQsendQueryParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0));
}

void
pg_add_statement(struct pg_flight *f, const struct query *q,
    const char *const *arguments, int n)
{
	if (!is_prepared(q))
		add_part(f, q, true, PQsendPrepare(connection, q->name, q->sql, 0, NULL));
	add_part(f, q, false,
	    PQsendQueryPrepared(connection, q->name, n, arguments, NULL, NULL, 0));
}

/* The next answer of the pipeline; NULL when the connection is lost. */
static PGresult *
next_result(uint64_t deadline_us)
{
	int flushed;

	while ((flushed = PQflush(connection)) == 1 || PQisBusy(connection)) {
		if (!await(flushed == 1 ? POLLIN | POLLOUT : POLLIN, deadline_us) ||
		    PQconsumeInput(connection) != 1)
			return NULL;
	}
	return flushed < 0 ? NULL : PQgetResult(connection);
}

/* An unprepared statement that was skipped is unprepared still. */
static void
note_prepared(const struct pg_flight *f, size_t i)
{
	if (f->prepares[i] && PQresultStatus(f->results[i]) == PGRES_COMMAND_OK &&
	    prepared_count < MAX_PREPARED)
		prepared[prepared_count++] = f->queries[i];
}

static bool
collect(struct pg_flight *f, uint64_t deadline)
{
	PGresult *end;
	bool synced;

	for (size_t i = 0; i < f->count; i++) {
		if ((f->results[i] = next_result(deadline)) == NULL)
			return false;
		note_prepared(f, i);
		PQclear(next_result(deadline));		/* the NULL after each */
	}
	end = next_result(deadline);
	synced = PQresultStatus(end) == PGRES_PIPELINE_SYNC;
	PQclear(end);
	return synced;
}

bool
pg_fly(struct pg_flight *f, const char **problem)
{
	if (f->sent && PQpipelineSync(connection) == 1 &&
	    collect(f, now_us() + STATEMENT_PATIENCE_US))
		return true;
	for (size_t i = 0; i < f->count; i++) {
		PQclear(f->results[i]);
		f->results[i] = NULL;
	}
	return lost(problem);
}
