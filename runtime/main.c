/*
 * main() of every function.
 *
 *   BINARY                      serves the socket on standard input (FastCGI),
 *                               or one request (CGI)
 *   BINARY --once METHOD PATH   one request from the shell
 *   BINARY --for SECONDS        runs its schedule for that long
 *   BINARY --describe           its declarations as JSON
 */
#include "crowd.h"
#include "describe.h"
#include "fastcgi.h"
#include "log.h"
#include "master.h"
#include "metrics.h"
#include "observe.h"
#include "otlp.h"
#include "request.h"
#include "settings.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SETTING_INT(workers, "FN_WORKERS", 2, 1, 64,
    "Processes that serve this function, three times as many where they wait for"
    " the outside world; 1 is one, without a master over it");
SETTING_INT(schedule, "FN_SCHEDULE", 0, 0, 1,
    "1: run the endpoints that have a schedule on it, without a timer outside");
SETTING_TEXT(log_level, "LOG_LEVEL", "info",
    "The least that is logged: debug, info, warn or error");

extern bool (*const __start_startups[])(void) __attribute__((weak));
extern bool (*const __stop_startups[])(void) __attribute__((weak));

static const char *
name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool
start_up(const char *name)
{
	if (!settings_read())
		return false;
	if (!log_open(name, log_level.text)) {
		fprintf(stderr, "souk: LOG_LEVEL must be debug, info, warn or error,"
		    " not \"%s\"\n", log_level.text);
		return false;
	}
	for (bool (*const *at)(void) = __start_startups; at < __stop_startups; at++)
		if (!(*at)())
			return false;
	return otlp_open(name);
}

static bool
has_schedule(void)
{
	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++)
		if ((*at)->endpoint->every_s > 0)
			return true;
	return false;
}

/* Workers that wait for somebody else's answer leave the cores to others; as
 * few as elsewhere, and a slow Stripe would stop the shop. */
enum { WAITING_FACTOR = 3 };

static int
worker_count(void)
{
	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++)
		if ((*at)->endpoint->waits)
			return (int)workers.number * WAITING_FACTOR;
	return (int)workers.number;
}

static int
helper_count(void)
{
	int most = 0;

	for (const struct entry *const *at = __start_endpoints; at < __stop_endpoints; at++)
		most = (*at)->endpoint->helpers > most ? (*at)->endpoint->helpers : most;
	return most;
}

static void
begin_counting(const char *name)
{
	observe_open();
	master_observe(name);
	metrics_open(name);
}

static int
serve(const char *name)
{
	bool scheduled = schedule.number == 1 && has_schedule();
	struct crew crew = {
		.workers = workers.number == 1 ? 1 : worker_count(),
		.worker = fastcgi_serve,
		.scheduler = scheduled ? fastcgi_schedule : NULL,
		.exporter = otlp_is_on() ? otlp_export : NULL,
		.helpers = scheduled ? helper_count() : 0,
		.helper = fastcgi_help,
		.turn_away = fastcgi_turn_away,
	};

	begin_counting(name);
	if (crew.workers == 1 && !scheduled && !otlp_is_on())
		return fastcgi_serve(0);
	if (!crowd_open(crew.workers))
		log_line(LOG_WARN, "nobody will be turned away: no memory", NULL);
	if (crew.helpers > 0)
		fastcgi_hang_bell();
	/* Who has a schedule to keep never sleeps. */
	if (!scheduled && fastcgi_may_sleep(&crew.patience_ms))
		crew.idle_since = fastcgi_idle_since;
	return master_run(&crew);
}

/* For how long to run the schedule; 0 is no good answer. */
static int
seconds_of(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *end == '\0' && n >= 1 && n <= 86400 ? (int)n : 0;
}

static int
usage(const char *name)
{
	fprintf(stderr, "usage: %s [--describe | --once METHOD PATH%s]\n", name,
	    has_schedule() ? " | --for SECONDS" : "");
	return 2;
}

int
main(int argc, char **argv)
{
	const char *name = name_of(argv[0]);
	bool once = argc == 4 && strcmp(argv[1], "--once") == 0;
	int seconds = argc == 3 && strcmp(argv[1], "--for") == 0 && has_schedule() ?
	    seconds_of(argv[2]) : 0;
	int status;

	if (!describe_check())
		return 1;
	if (argc == 2 && strcmp(argv[1], "--describe") == 0) {
		describe(name);
		return 0;
	}
	if (argc != 1 && !once && seconds == 0)
		return usage(name);
	signal(SIGPIPE, SIG_IGN);
	if (!start_up(name))
		return 78;
	/* What it finds out, /metrics is to know, however it was started. */
	if (has_schedule() && (once || seconds > 0))
		begin_counting(name);
	if (once || seconds > 0) {
		otlp_begin();
		status = once ? cgi_once(argv[2], argv[3]) : fastcgi_schedule_for(seconds);
		otlp_end();
		return status;
	}
	return fastcgi_is_available() ? serve(name) : cgi_serve();
}
