/*
 * Webhooks: signed, posted, and tried again later when they were not taken.
 */
#include "sim.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>

SETTING_INT(retry_ms, "SIM_WEBHOOK_RETRY_MS", 500, 1, 3600000,
    "Milliseconds until a webhook that was not taken is sent again; doubles with each try");
SETTING_INT(timeout_ms, "SIM_WEBHOOK_TIMEOUT_MS", 5000, 100, 20000,
    "Milliseconds a webhook endpoint may take to answer");

enum { BATCH = 20, BATCH_MS = 1000, LEASE_MARGIN_S = 3, AFTER_REPLY_MS = 2000 };

QUERY(claim,
	"SELECT delivery, endpoint, url, secret, old_secret, body"
	"  FROM stripe_sim.claim_deliveries($1, $2, $3)");

QUERY(finish, "SELECT stripe_sim.finish_deliveries($1, $2, $3)");

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The key is the whole secret, its prefix included. */
static const char *
mac(struct req *rq, const char *secret, const char *message)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)message,
	    strlen(message), digest, &n);
	return sim_hex(rq, digest, n);
}

/* A v1 for each secret that counts, and a v0 that nobody must believe: test
 * events carry one. */
static const char *
signature(struct req *rq, const struct row *d)
{
	long long t = (long long)time(NULL);
	const char *message = fmt(rq, "%lld.%s", t, row_text(d, "body"));
	const char *old = row_text(d, "old_secret");

	return fmt(rq, "Stripe-Signature: t=%lld,v1=%s%s%s,v0=%s", t,
	    mac(rq, row_text(d, "secret"), message), old == NULL ? "" : ",v1=",
	    old == NULL ? "" : mac(rq, old, message), mac(rq, "v0", message));
}

static size_t
ignore(char *bytes, size_t size, size_t n, void *to)
{
	(void)bytes;
	(void)to;
	return size * n;
}

/* One handle a process, so that connections are kept. */
static CURL *
client(void)
{
	static CURL *c;

	if (c != NULL)
		curl_easy_reset(c);
	else if ((c = curl_easy_init()) == NULL)
		return NULL;
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms.number);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
	return c;
}

/* The status of the answer; 0 with *problem when there was none. */
static long
post(struct req *rq, const struct row *d, const char **problem)
{
	const char *body = row_text(d, "body");
	struct curl_slist *headers = NULL;
	CURL *c = client();
	CURLcode code = CURLE_FAILED_INIT;
	long status = 0;

	headers = curl_slist_append(headers, "Content-Type: application/json; charset=utf-8");
	headers = curl_slist_append(headers, "Expect:");
	headers = curl_slist_append(headers, signature(rq, d));
	if (c != NULL) {
		curl_easy_setopt(c, CURLOPT_URL, row_text(d, "url"));
		curl_easy_setopt(c, CURLOPT_USERAGENT,
		    "Stripe/1.0 (+https://stripe.com/docs/webhooks)");
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
		code = curl_easy_perform(c);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	}
	curl_slist_free_all(headers);
	*problem = code == CURLE_OK ? NULL : curl_easy_strerror(code);
	return code == CURLE_OK ? status : 0;
}

/* An endpoint that does not answer is left alone at once: what it was to get
 * besides stays due, and others have their turn. */
static void
send_batch(struct req *rq, const struct rows *batch)
{
	int64_t until = now_ms() + BATCH_MS;
	struct json *results = json_new(rq);
	long status = 200;

	json_open(results, '[');
	for (size_t i = 0; i < rows_count(batch) && status != 0 && now_ms() < until; i++) {
		const struct row *d = rows_at(batch, i);
		const char *problem;

		status = post(rq, d, &problem);
		json_open(results, '{');
		json_key(results, "id");
		json_int(results, row_int(d, "delivery"));
		json_key(results, "status");
		json_int(results, status);
		json_key(results, "problem");
		json_string(results, problem);
		json_close(results);
	}
	db_one(rq, &finish, row_text(rows_at(batch, 0), "endpoint"), json_text(results),
	    text(rq, retry_ms.number));
}

/* may_wait: endpoints that hang get another chance. */
static void
send_due(struct req *rq, int64_t budget_ms, bool may_wait)
{
	int64_t until = now_ms() + budget_ms;
	/* Longer than a batch takes: its last post begins before its time is up. */
	const char *lease = text(rq, timeout_ms.number / 1000 + LEASE_MARGIN_S);
	const struct rows *batch;

	do {
		batch = db_all(rq, &claim, text(rq, BATCH), lease, may_wait ? "true" : "false");
		if (rows_count(batch) > 0)
			send_batch(rq, batch);
	} while (rows_count(batch) > 0 && now_ms() < until);
}

void
sim_send_due(struct req *rq, int64_t budget_ms)
{
	send_due(rq, budget_ms, true);
}

void
sim_send_soon(struct req *rq)
{
	send_due(rq, AFTER_REPLY_MS, false);
}
