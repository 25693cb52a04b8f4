/*
 * From a request to a transition, and back to an answer of Stripe's.
 */
#include "sim.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <time.h>

QUERY(call,
	"SELECT o.status, o.body, o.original, o.replayed, o.limited, o.stall_ms, o.lost, o.due"
	"  FROM stripe_sim.call($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) o");

const char *
sim_hex(struct req *rq, const unsigned char *bytes, size_t n)
{
	char *hex = mem(rq, 2 * n + 1);

	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	return hex;
}

/* Parameters equal in all but their order are the same request. */
static const char *
fingerprint(struct req *rq, const struct sim_call *c)
{
	const char *all = fmt(rq, "%s %s %d %s", c->method, c->path, c->publishable, c->params);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	EVP_Digest(all, strlen(all), digest, &n, EVP_sha256(), NULL);
	return sim_hex(rq, digest, n);
}

static void
stall(int64_t ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* What a client sees when a proxy between it and Stripe has lost the answer. */
static struct status
lose_answer(struct req *rq)
{
	static const char page[] = "<html><h1>502 Bad Gateway</h1></html>\n";

	return reply_bytes(rq, 502, "text/html", page, sizeof(page) - 1);
}

static void
add_outcome_headers(struct req *rq, const struct sim_call *c, const struct row *o)
{
	int64_t status = row_int(o, "status");

	if (row_text(o, "limited") != NULL)
		reply_header(rq, "Stripe-Rate-Limited-Reason", row_text(o, "limited"));
	if (row_bool(o, "replayed"))
		reply_header(rq, "Idempotent-Replayed", "true");
	if (c->key != NULL)
		reply_header(rq, "Original-Request", row_text(o, "original") == NULL
		    ? c->request_id : row_text(o, "original"));
	if (c->key != NULL && status < 500 && status != 429)
		reply_header(rq, "Stripe-Should-Retry", status == 409 ? "true" : "false");
}

const struct row *
sim_execute(struct req *rq, const struct sim_call *c, const char *operation, const char *id)
{
	const struct row *outcome = db_one(rq, &call, operation, id, c->params, c->method,
	    c->path, c->request_id, c->key, fingerprint(rq, c),
	    c->publishable ? "true" : "false", sim_origin(rq));

	if (row_bool(outcome, "due"))
		after_reply(rq, sim_send_soon);
	return outcome;
}

struct status
sim_answer(struct req *rq, const struct sim_call *c, const struct row *outcome)
{
	stall(row_int(outcome, "stall_ms"));
	if (row_bool(outcome, "lost"))
		return lose_answer(rq);
	add_outcome_headers(rq, c, outcome);
	return reply_json(rq, (int)row_int(outcome, "status"), row_text(outcome, "body"));
}

struct status
sim_call(struct req *rq, enum sim_caller caller, const char *operation, const char *id,
    const struct sim_param *params)
{
	struct sim_call c;

	if (!sim_read_call(rq, &c, caller, params))
		return c.refusal;
	return sim_answer(rq, &c, sim_execute(rq, &c, operation, id));
}
