#include "sessions.h"
#include "guard.h"

#include <string.h>

COUNTER(untold, "sessions_untold_total", "",
    "Times that Redis could not be told of ended sessions, which may live 15 s longer");

enum { MAX_AGENT = 255 };

/* Of the request that is being answered. */
static const char **doubtful;
static size_t count;

static void
tell_again(struct req *rq)
{
	log_line(LOG_WARN, guard_sessions_in_doubt(rq, doubtful, count)
	    ? "redis was told after all of the sessions that have ended"
	    : "redis may remember for 15 s the sessions that have ended",
	    "request_id", req_id(rq), NULL);
}

void
sessions_end(struct req *rq, const struct rows *ended)
{
	size_t n = rows_count(ended);

	doubtful = mem(rq, (n + 1) * sizeof(*doubtful));
	count = 0;
	for (size_t i = 0; i < n; i++) {
		const char *session = row_text(rows_at(ended, i), "session");

		if (session != NULL)
			doubtful[count++] = session;
	}
	if (count == 0 || guard_sessions_in_doubt(rq, doubtful, count))
		return;
	metric_add(&untold, 1);
	log_line(LOG_ERROR, "redis could not be told that sessions end",
	    "request_id", req_id(rq), "sessions", text(rq, (int64_t)count), NULL);
	after_reply(rq, tell_again);
}

/* Any bytes may come in a header: what is not plain ASCII is told as "?". */
const char *
session_agent(struct req *rq)
{
	const char *sent = req_header(rq, "HTTP_USER_AGENT");
	char *agent;

	if (sent == NULL || *sent == '\0')
		return NULL;
	agent = fmt(rq, "%.*s", MAX_AGENT, sent);
	for (char *c = agent; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return agent;
}
