/*
 * GET /health/all
 *
 * Readiness: Postgres, Redis, the payment service and every function are asked
 * at the same time and have one second together.  Anything down makes it 503.
 * What exactly is down is an operator's business; others learn only whether.
 *
 * The payment service is asked only where STRIPE_API_BASE names it: Stripe
 * itself is not to be polled by health checks.  The object store is S3_ENDPOINT
 * or, where there is none, Postgres.
 */
#include "fn.h"
#include "clock.h"
#include "probe.h"

enum { DEADLINE_MS = 1000 };

SETTING_SECRET_OPTIONAL(database_url, "DATABASE_URL",
    "The Postgres connection URI of the role that tries to log in");
SETTING_TEXT(stripe_base, "STRIPE_API_BASE", NULL,
    "The payment service's URL; unset: Stripe's own, which is not asked");
SETTING_TEXT(s3_endpoint, "S3_ENDPOINT", NULL,
    "The object store's URL; unset: pictures are in Postgres");
SETTING_TEXT(sockets_dir, "FN_SOCKETS_DIR", NULL,
    "Directory of the functions' sockets, <function>.sock");

ENDPOINT(show_health_of_all) = {
	.method  = HTTP_GET,
	.path    = "/health/all",
	.summary = "Whether everything that the shop needs is ready",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.otherwise = 503,
	.output  = FIELDS(
		OUT(status,       STR,  "\"healthy\" or, with 503, \"unhealthy\"",
		    .example = "\"healthy\""),
		OUT(service,      STR,  "Who answers", .example = "\"gateway\""),
		OUT(timestamp,    TIME, "When"),
		OUT(dependencies, MAP,  "For operators: \"up\" or \"down\" by name",
		    .nullable = true, .example = "{\"postgres\": \"up\"}"),
		OUT(functions,    MAP,  "For operators: \"up\" or \"down\" by name",
		    .nullable = true, .example = "{\"orders-place\": \"up\"}")),
};

static void
write_group(struct json *j, const char *group, const struct probes *probes, bool functions)
{
	json_key(j, group);
	json_open(j, '{');
	for (struct probe *p = probes_next(probes, NULL); p; p = probes_next(probes, p)) {
		if (probe_is_fastcgi(p) != functions)
			continue;
		json_key(j, probe_name(p));
		json_string(j, probe_is_up(p) ? "up" : "down");
	}
	json_close(j);
}

static void
write_nothing(struct json *j, const char *group)
{
	json_key(j, group);
	json_string(j, NULL);
}

static struct probes *
ask_all(struct req *rq)
{
	struct probes *probes = probes_new(rq);

	probes_add_known(probes, "redis", redis_is_up(rq));
	if (database_url.text != NULL)
		probes_add_postgres(probes, "postgres", database_url.text);
	if (s3_endpoint.text != NULL)
		probes_add_http(probes, "object_store", s3_endpoint.text);
	else if (database_url.text != NULL)
		probes_add_same(probes, "object_store", "postgres");
	if (stripe_base.text != NULL)
		probes_add_http(probes, "stripe", stripe_base.text);
	if (sockets_dir.text != NULL)
		probes_add_functions(probes, sockets_dir.text);
	probes_run(probes, DEADLINE_MS);
	return probes;
}

static struct status
show_health_of_all(struct req *rq)
{
	struct probes *probes = ask_all(rq);
	bool healthy = probes_all_up(probes);
	struct json *j = json_new(rq);

	json_open(j, '{');
	json_key(j, "status");
	json_string(j, healthy ? "healthy" : "unhealthy");
	json_key(j, "service");
	json_string(j, "gateway");
	json_key(j, "timestamp");
	json_string(j, timestamp(rq));
	if (req_is(rq, ACCESS_OPERATOR)) {
		write_group(j, "dependencies", probes, false);
		write_group(j, "functions", probes, true);
	} else {
		write_nothing(j, "dependencies");
		write_nothing(j, "functions");
	}
	if (!healthy)
		reply_header(rq, "Retry-After", "5");
	return reply_json(rq, healthy ? 200 : 503, json_text(j));
}
