#include "http.h"
#include "log.h"
#include "metrics.h"
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int statuses[] = { 200, 201, 202, 204, 304, 400, 401, 402, 403,
	404, 405, 409, 413, 415, 422, 429, 500, 503, 0 };
enum { STATUSES = sizeof(statuses) / sizeof(*statuses) };

/* Per endpoint: requests by status, and how long they took. */
struct counts { struct metric requests[STATUSES], seconds; };

static struct counts *counts;

static size_t
entry_count(void)
{
	return (size_t)(__stop_endpoints - __start_endpoints);
}

static const char *
labels(const struct endpoint *e, int status)
{
	static const char *const methods[] = { "", "GET", "POST", "PUT", "DELETE" };
	char line[256];

	if (status < 0)
		snprintf(line, sizeof(line), "method=\"%s\",route=\"%s\"",
		    methods[e->method], e->path);
	else if (status == 0)
		snprintf(line, sizeof(line), "method=\"%s\",route=\"%s\",status=\"other\"",
		    methods[e->method], e->path);
	else
		snprintf(line, sizeof(line), "method=\"%s\",route=\"%s\",status=\"%d\"",
		    methods[e->method], e->path, status);
	return strdup(line);
}

void
observe_open(void)
{
	counts = calloc(entry_count() + 1, sizeof(*counts));
	for (size_t i = 0; counts != NULL && i < entry_count(); i++) {
		const struct endpoint *e = __start_endpoints[i]->endpoint;

		for (size_t s = 0; s < STATUSES; s++) {
			counts[i].requests[s] = (struct metric){ .name = "http_requests_total",
			    .labels = labels(e, statuses[s]), .help = "Requests answered" };
			metrics_register(&counts[i].requests[s]);
		}
		counts[i].seconds = (struct metric){ .name = "http_request_duration_seconds",
		    .labels = labels(e, -1), .help = "Time from a request's arrival to its answer",
		    .histogram = true };
		metrics_register(&counts[i].seconds);
	}
}

static void
count(const struct req *rq, uint64_t taken)
{
	for (size_t i = 0; counts != NULL && i < entry_count(); i++) {
		size_t s = 0;

		if (__start_endpoints[i] != rq->entry)
			continue;
		while (statuses[s] != 0 && statuses[s] != rq->status)
			s++;
		metric_add(&counts[i].requests[s], 1);
		metric_observe_us(&counts[i].seconds, taken);
	}
}

static void
write_line(const struct req *rq, uint64_t taken)
{
	enum level level = rq->status >= 500 ? LOG_ERROR :
	    (rq->entry == NULL || rq->trusted) && rq->status < 400
	    ? LOG_DEBUG : LOG_INFO;		/* probes and schedules */
	struct log_text t;

	if (!log_wants(level))
		return;
	log_begin(&t, level);
	log_put(&t, "method", rq->method);
	log_put(&t, "route", rq->entry == NULL ? NULL : rq->entry->endpoint->path);
	log_put_number(&t, "status", rq->status);
	if (rq->error != ERR_NONE)
		log_put(&t, "code", error_code(rq->error));
	log_put_number(&t, "us", (long long)taken);
	log_put_number(&t, "db_us", (long long)rq->db_us);
	log_put_number(&t, "redis_us", (long long)rq->redis_us);
	log_put_number(&t, "statements", rq->statements);
	if (rq->cache_state != NULL)
		log_put(&t, "cache", rq->cache_state);
	log_put(&t, "user", rq->user != NULL ? rq->user : rq->about);
	log_put(&t, "address", rq->address);
	log_put(&t, "request_id", rq->id);
	log_put(&t, "trace_id", rq->trace_id);
	log_put(&t, "span_id", rq->span_id);
	log_end(&t);
}

void
observe(struct req *rq, uint64_t taken)
{
	count(rq, taken);
	write_line(rq, taken);
}
