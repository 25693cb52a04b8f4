/*
 * GET /health/all
 *
 * Readiness: Postgres, Redis, the payment service and every function are asked
 * at the same time and have one second together.  Anything down makes it 503.
 * What exactly is down is an operator's business; others learn only whether.
 *
 * The payment service is asked only where STRIPE_API_BASE names it: Stripe
 * itself is not to be polled by health checks.
 */
#include "fn.h"
#include "clock.h"
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

enum { DEADLINE_MS = 1000 };

SETTING_SECRET_OPTIONAL(database_url, "DATABASE_URL",
    "The Postgres connection URI of the role that tries to log in");
SETTING_TEXT(stripe_base, "STRIPE_API_BASE", NULL,
    "The payment service's URL; unset: Stripe's own, which is not asked");
SETTING_TEXT(sockets_dir, "FN_SOCKETS_DIR", NULL,
    "Directory of the functions' sockets, <function>.sock");

ENDPOINT(show_health_of_all) = {
	.method  = HTTP_GET,
	.path    = "/health/all",
	.summary = "Whether everything that the shop needs is ready",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.output  = FIELDS(
		OUT(status,       STR,  "\"healthy\" or, with 503, \"unhealthy\"",
		    .example = "\"healthy\""),
		OUT(service,      STR,  "Who answers", .example = "\"gateway\""),
		OUT(timestamp,    TIME, "When"),
		OUT(dependencies, JSON, "For operators: \"up\" or \"down\" by name",
		    .nullable = true, .example = "{\"postgres\": \"up\"}"),
		OUT(functions,    JSON, "For operators: \"up\" or \"down\" by name",
		    .nullable = true, .example = "{\"orders-place\": \"up\"}")),
};

/* Asking ourselves could wait for the very worker that asks. */
static bool
is_another(const char *function)
{
	return strcmp(function, program_invocation_short_name) != 0;
}

static void
add_functions(struct req *rq, struct probes *probes)
{
	DIR *dir = sockets_dir.text != NULL ? opendir(sockets_dir.text) : NULL;

	if (dir == NULL)
		return;
	for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
		const char *suffix = strstr(e->d_name, ".sock");
		char *name;

		if (suffix == NULL || suffix[5] != '\0')
			continue;
		name = fmt(rq, "%.*s", (int)(suffix - e->d_name), e->d_name);
		if (is_another(name))
			probes_add_fastcgi(probes, name,
			    fmt(rq, "%s/%s", sockets_dir.text, e->d_name));
	}
	closedir(dir);
}

static void
write_state(struct json *j, const char *name, bool up)
{
	json_key(j, name);
	json_string(j, up ? "up" : "down");
}

static void
write_states(struct json *j, const struct probes *probes, bool functions)
{
	for (struct probe *p = probes_next(probes, NULL); p; p = probes_next(probes, p)) {
		if (probe_is_fastcgi(p) == functions)
			write_state(j, probe_name(p), probe_is_up(p));
	}
}

static void
write_details(struct json *j, const struct probes *probes, bool redis)
{
	json_key(j, "dependencies");
	json_open(j, '{');
	write_state(j, "redis", redis);
	write_states(j, probes, false);
	json_close(j);
	json_key(j, "functions");
	json_open(j, '{');
	write_states(j, probes, true);
	json_close(j);
}

static void
write_no_details(struct json *j)
{
	json_key(j, "dependencies");
	json_string(j, NULL);
	json_key(j, "functions");
	json_string(j, NULL);
}

static bool
all_up(const struct probes *probes)
{
	struct probe *p = probes_next(probes, NULL);

	while (p != NULL && probe_is_up(p))
		p = probes_next(probes, p);
	return p == NULL;
}

static struct status
show_health_of_all(struct req *rq)
{
	struct probes *probes = probes_new(rq);
	struct json *j = json_new(rq);
	bool redis = redis_is_up(rq);
	bool healthy;

	if (database_url.text != NULL)
		probes_add_postgres(probes, "postgres", database_url.text);
	if (stripe_base.text != NULL)
		probes_add_http(probes, "stripe", stripe_base.text);
	add_functions(rq, probes);
	probes_run(probes, DEADLINE_MS);
	healthy = redis && all_up(probes);

	json_open(j, '{');
	json_key(j, "status");
	json_string(j, healthy ? "healthy" : "unhealthy");
	json_key(j, "service");
	json_string(j, "gateway");
	json_key(j, "timestamp");
	json_string(j, timestamp(rq));
	if (req_is(rq, ACCESS_OPERATOR))
		write_details(j, probes, redis);
	else
		write_no_details(j);
	if (!healthy)
		reply_header(rq, "Retry-After", "5");
	return reply_json(rq, healthy ? 200 : 503, json_text(j));
}
