/*
 * The errors that are found before the database is asked.  schema/ writes the
 * others, in the same form.
 */
#include "sim.h"

#include <string.h>
#include <time.h>

static void
member(struct json *j, const char *key, const char *value)
{
	if (value == NULL)
		return;
	json_key(j, key);
	json_string(j, value);
}

static const char *
doc_url(struct req *rq, const char *code)
{
	char *url;

	if (code == NULL)
		return NULL;
	url = fmt(rq, "https://stripe.com/docs/error-codes/%s", code);
	for (char *c = strchr(url, '_'); c != NULL; c = strchr(c, '_'))
		*c = '-';
	return url;
}

struct status
sim_fail(struct req *rq, const char *request_id, const struct sim_error *e)
{
	struct json *j = json_new(rq);

	json_open(j, '{');
	json_key(j, "error");
	json_open(j, '{');
	member(j, "code", e->code);
	member(j, "doc_url", doc_url(rq, e->code));
	member(j, "message", e->message);
	member(j, "param", e->param);
	if (e->status != 401)
		member(j, "request_log_url", fmt(rq,
		    "https://dashboard.stripe.com/test/logs/%s?t=%lld",
		    request_id, (long long)time(NULL)));
	member(j, "type", e->type == NULL ? "invalid_request_error" : e->type);
	return reply_json(rq, e->status, json_text(j));
}
