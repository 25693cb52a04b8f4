/*
 * migrate [--dir DIR] [--status]
 *
 * Brings the database of DATABASE_URL, or of the URI in the file that
 * DATABASE_URL_FILE names, up to the numbered files of DIR (schema):
 * each NNN_name.sql runs once, in order, in one transaction with its record in
 * public.schema_migration.  A session lock makes two migrators take turns.
 *
 * What has been applied is history: a file that was changed, renamed or lost
 * since stops the migrator before it touches anything.  Numbers run without a
 * gap, except that a multiple of ten may open a series of its own (090: the
 * Stripe simulator), so that each schema's next number is free.
 *
 * Exit status: 0 up to date, 1 refused or failed, 2 called wrongly, and from
 * --status 3 when migrations are pending.
 */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>
#include <openssl/evp.h>

#include "statements.h"

#define LOCK_KEY	"7310586229451347"	/* any number, the same in every migrator */
#define FILE_MAX	(16L * 1024 * 1024)

enum { EXIT_REFUSED = 1, EXIT_USAGE, EXIT_PENDING };

struct migration {
	int	 version;
	char	*name;			/* 003_catalog.sql */
	char	*sql;
	char	 sha256[65];
	bool	 applied;
	char	*applied_at;
};

static const char *dir = "schema";
static PGconn *db;
static struct migration *migrations;
static size_t migrations_count;
static const struct migration *applying;

static void die(int, const char *, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* Leaving closes the connection, which rolls back and unlocks. */
static void
die(int status, const char *format, ...)
{
	va_list args;

	fputs("migrate: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

static void __attribute__((noreturn))
die_of_database(void)
{
	const char *message = PQerrorMessage(db);
	int line = (int)strcspn(message, "\n");

	if (applying != NULL)
		die(EXIT_REFUSED, "%s/%s: %.*s", dir, applying->name, line, message);
	die(EXIT_REFUSED, "the database: %.*s", line, message);
}

static void *
must(void *memory)
{
	if (memory == NULL)
		die(EXIT_REFUSED, "out of memory");
	return memory;
}

static int
is_migration(const struct dirent *entry)
{
	return fnmatch("[0-9]*.sql", entry->d_name, 0) == 0;
}

static int
version_of(const char *name)
{
	if (fnmatch("[0-9][0-9][0-9]_?*.sql", name, 0) != 0)
		die(EXIT_REFUSED, "%s/%s: a migration is named like 007_gift_cards.sql",
		    dir, name);
	return (int)strtol(name, NULL, 10);
}

static char *
read_sql(const char *name, char sha256[65])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char path[4096];
	char *sql = must(malloc(FILE_MAX + 1));
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "rb");
	if (file == NULL)
		die(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	len = fread(sql, 1, FILE_MAX, file);
	if (ferror(file) || fgetc(file) != EOF)
		die(EXIT_REFUSED, "%s: cannot be read, or is over %ld bytes", path, FILE_MAX);
	fclose(file);
	sql[len] = '\0';
	if (strlen(sql) != len)
		die(EXIT_REFUSED, "%s: has a NUL byte in it", path);
	if (EVP_Digest(sql, len, hash, NULL, EVP_sha256(), NULL) != 1)
		die(EXIT_REFUSED, "%s: SHA-256 is not available", path);
	for (int i = 0; i < 32; i++)
		snprintf(sha256 + 2 * i, 3, "%02x", hash[i]);
	return must(realloc(sql, len + 1));
}

/* The record and the migration commit together or not at all. */
static void
refuse_transaction_commands(const struct migration *m)
{
	static const char *const words[] = {
		"abort", "begin", "commit", "end", "rollback", "start",
	};
	struct statement st = statements(m->sql);

	while (statement_next(&st))
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (at_word(st.text, words[i]))
				die(EXIT_REFUSED, "%s/%s:%d: %s is not for a migration:"
				    " each runs in one transaction of the migrator's",
				    dir, m->name, line_of(m->sql, st.text), words[i]);
}

static void
read_migrations(void)
{
	struct dirent **entries;
	int count = scandir(dir, &entries, is_migration, alphasort);
	int before = 0;

	if (count <= 0)
		die(EXIT_USAGE, "%s: %s; name the folder of migrations with --dir",
		    dir, count < 0 ? strerror(errno) : "no migrations in it");
	migrations = must(calloc((size_t)count + 1, sizeof(*migrations)));
	for (int i = 0; i < count; i++) {
		struct migration *m = &migrations[i];

		m->name = must(strdup(entries[i]->d_name));
		m->version = version_of(m->name);
		if (i > 0 && m->version == before)
			die(EXIT_REFUSED, "%s/%s: number %03d is taken by %s; take a free one",
			    dir, m->name, m->version, migrations[i - 1].name);
		if (m->version != before + 1 && (m->version % 10 != 0 || i == 0))
			die(EXIT_REFUSED, "%s/%s: number %03d is missing before it",
			    dir, m->name, before + 1);
		m->sql = read_sql(m->name, m->sha256);
		refuse_transaction_commands(m);
		before = m->version;
		free(entries[i]);
	}
	free(entries);
	migrations_count = (size_t)count;
}

static PGresult *
ask(const char *sql, int count, const char *const *args)
{
	PGresult *result = PQexecParams(db, sql, count, NULL, args, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		die_of_database();
	return result;
}

static void
run(const char *sql)
{
	PQclear(ask(sql, 0, NULL));
}

static bool
is_true(const char *sql)
{
	PGresult *result = ask(sql, 0, NULL);
	bool answer = PQgetvalue(result, 0, 0)[0] == 't';

	PQclear(result);
	return answer;
}

/* Of DATABASE_URL_FILE, its first line. */
static char *
url_in_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;

	if (f == NULL)
		die(EXIT_USAGE, "%s: %s", path, strerror(errno));
	if (getline(&line, &room, f) < 0)
		die(EXIT_USAGE, "%s: there is nothing in it", path);
	fclose(f);
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

static void
connect_database(void)
{
	const char *url = getenv("DATABASE_URL"), *file = getenv("DATABASE_URL_FILE");

	if ((url == NULL || url[0] == '\0') && file != NULL && file[0] != '\0')
		url = url_in_file(file);
	if (url == NULL || url[0] == '\0')
		die(EXIT_USAGE, "set DATABASE_URL (or DATABASE_URL_FILE) to the URI of the"
		    " database, as its owner");
	db = PQconnectdb(url);
	if (PQstatus(db) != CONNECTION_OK)
		die_of_database();
	run("SET client_min_messages = warning");
}

static void
take_turn(void)
{
	if (!is_true("SELECT pg_try_advisory_lock(" LOCK_KEY ")")) {
		puts("waiting for another migrator");
			run("SELECT pg_advisory_lock(" LOCK_KEY ")");
	}
	run("CREATE TABLE IF NOT EXISTS public.schema_migration ("
	    " version    integer PRIMARY KEY,"
	    " name       text NOT NULL UNIQUE,"
	    " sha256     text NOT NULL,"
	    " applied_at timestamptz NOT NULL DEFAULT now(),"
	    " ms         integer NOT NULL)");
}

static struct migration *
find(const char *name)
{
	for (size_t i = 0; i < migrations_count; i++)
		if (strcmp(migrations[i].name, name) == 0)
			return &migrations[i];
	return NULL;
}

static void
read_history(void)
{
	PGresult *rows = ask(
	    "SELECT name, sha256,"
	    "       to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SSZ')"
	    "       || ' in ' || ms || ' ms'"
	    "  FROM public.schema_migration ORDER BY version", 0, NULL);

	for (int i = 0; i < PQntuples(rows); i++) {
		const char *name = PQgetvalue(rows, i, 0);
		struct migration *m = find(name);

		if (m == NULL)
			die(EXIT_REFUSED, "%s/%s: was applied and is missing now; put it back",
			    dir, name);
		if (strcmp(m->sha256, PQgetvalue(rows, i, 1)) != 0)
			die(EXIT_REFUSED, "%s/%s: was changed after it was applied;"
			    " put it back and write a new migration", dir, name);
		m->applied = true;
		m->applied_at = must(strdup(PQgetvalue(rows, i, 2)));
	}
	PQclear(rows);
}

/* A number that was free when its successor ran would run in another order elsewhere. */
static void
refuse_out_of_order(void)
{
	for (size_t i = 1; i < migrations_count; i++) {
		const struct migration *before = &migrations[i - 1];
		const struct migration *m = &migrations[i];

		if (m->applied && !before->applied && m->version == before->version + 1)
			die(EXIT_REFUSED, "%s/%s: comes before %s, which is applied already;"
			    " give it the next free number", dir, before->name, m->name);
	}
}

static int
line_of_error(const struct migration *m, const PGresult *error, int done)
{
	const char *position = PQresultErrorField(error, PG_DIAG_STATEMENT_POSITION);
	struct statement st = statements(m->sql);

	if (position != NULL)
		return line_of(m->sql, character_at(m->sql, strtol(position, NULL, 10)));
	/* Errors of execution carry no position: it is the statement's line then. */
	while (statement_next(&st) && done-- > 0)
		;
	return line_of(m->sql, st.text);
}

static void
run_file(const struct migration *m)
{
	PGresult *result;
	int done = 0;

	if (PQsendQuery(db, m->sql) == 0)
		die_of_database();
	while ((result = PQgetResult(db)) != NULL) {
		switch (PQresultStatus(result)) {
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
		case PGRES_EMPTY_QUERY:
			done++;
			break;
		case PGRES_COPY_IN:
			PQputCopyEnd(db, "a migration has no input to copy from");
			break;
		default:
			die(EXIT_REFUSED, "%s/%s:%d: %snothing of this file was kept",
			    dir, m->name, line_of_error(m, result, done),
			    PQresultErrorMessage(result));
		}
		PQclear(result);
	}
	if (PQtransactionStatus(db) != PQTRANS_INTRANS)
		die(EXIT_REFUSED, "%s/%s: ended the migrator's transaction itself;"
		    " look what it left behind", dir, m->name);
}

static void
apply(const struct migration *m)
{
	struct timespec start, end;
	char ms[24];

	applying = m;
	clock_gettime(CLOCK_MONOTONIC, &start);
	run("BEGIN");
	/* Waiting longer for a lock would make every query behind it wait too. */
	run("SET LOCAL lock_timeout = '10s'");
	run_file(m);
	clock_gettime(CLOCK_MONOTONIC, &end);
	snprintf(ms, sizeof(ms), "%ld", (long)(end.tv_sec - start.tv_sec) * 1000
	    + (end.tv_nsec - start.tv_nsec) / 1000000);
	/* What was put off to the commit is still this file's. */
	run("SET CONSTRAINTS ALL IMMEDIATE");
	PQclear(ask("INSERT INTO public.schema_migration (version, name, sha256, ms)"
	    " VALUES (left($1, 3)::integer, $1, $2, $3)", 3,
	    (const char *const[]){ m->name, m->sha256, ms }));
	run("COMMIT");
	/* What one file sets must not be what the next one builds on. */
	run("RESET ALL");
	printf("%s applied in %s ms\n", m->name, ms);
}

static int
show_status(void)
{
	size_t pending = 0;

	if (is_true("SELECT to_regclass('public.schema_migration') IS NOT NULL"))
		read_history();
	refuse_out_of_order();
	for (size_t i = 0; i < migrations_count; i++) {
		const struct migration *m = &migrations[i];

		printf("%-32s %s\n", m->name, m->applied ? m->applied_at : "pending");
		pending += !m->applied;
	}
	return pending == 0 ? EXIT_SUCCESS : EXIT_PENDING;
}

static int
migrate(void)
{
	take_turn();
	read_history();
	refuse_out_of_order();
	for (size_t i = 0; i < migrations_count; i++)
		if (!migrations[i].applied)
			apply(&migrations[i]);
	if (applying == NULL)
		printf("up to date, %zu migrations\n", migrations_count);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	bool status_only = false;
	int status;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--status") == 0)
			status_only = true;
		else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
			dir = argv[++i];
		else
			die(EXIT_USAGE, "usage: migrate [--dir DIR] [--status]");
	setvbuf(stdout, NULL, _IOLBF, 0);
	read_migrations();
	connect_database();
	status = status_only ? show_status() : migrate();
	PQfinish(db);
	return status;
}
