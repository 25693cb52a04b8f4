/*
 * GET /metrics
 *
 * The counters of all functions, added up, for Prometheus.
 */
#include "fn.h"
#include "metrics.h"

SETTING_TEXT(sockets_dir, "FN_SOCKETS_DIR", NULL,
    "Directory of the functions' sockets, <function>.sock");

ENDPOINT(show_metrics) = {
	.method  = HTTP_GET,
	.path    = "/metrics",
	.summary = "Counters of all functions in Prometheus' text format",
	.access  = ACCESS_OPERATOR,
	.rate    = RATE_NONE,
	.media_type = "text/plain",
};

static struct status
show_metrics(struct req *rq)
{
	/* Between measuring and writing, counters may gain a digit. */
	size_t size = metrics_text(NULL, 0, metrics_dir(), sockets_dir.text) + 4096;
	char *page = mem(rq, size);
	size_t length = metrics_text(page, size, metrics_dir(), sockets_dir.text);

	return reply_bytes(rq, 200, "text/plain; version=0.0.4; charset=utf-8",
	    page, length < size ? length : size - 1);
}
