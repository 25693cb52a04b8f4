#include "stripe.h"
#include "body.h"
#include "curl_http.h"
#include "span.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>

SETTING_SECRET(secret_key, "STRIPE_SECRET_KEY", "The Stripe API's secret key");
SETTING_TEXT(api_base, "STRIPE_API_BASE", "https://api.stripe.com",
    "Where the Stripe API is");
SETTING_INT(patience_ms, "STRIPE_TIMEOUT_MS", 3000, 100, 60000,
    "Milliseconds one call may take, its retries included");
HISTOGRAM(call_seconds, "stripe_request_duration_seconds", "",
    "Time a call to Stripe takes, its retries included");
COUNTER(calls_ok, "stripe_requests_total", "outcome=\"ok\"", "Calls to Stripe");
COUNTER(calls_refused, "stripe_requests_total", "outcome=\"refused\"", "Calls to Stripe");
COUNTER(calls_away, "stripe_requests_total", "outcome=\"away\"", "Calls to Stripe");
COUNTER(calls_withheld, "stripe_requests_total", "outcome=\"breaker_open\"", "Calls to Stripe");

enum {
	MAX_TRIES = 3,
	FIRST_DELAY_MS = 100,
	BREAKER_FAILURES = 5,		/* in a row, until it opens */
	BREAKER_OPEN_US = 5000000,	/* then one call may try again */
	MAX_ANSWER = 1 << 20
};

/* One breaker for all workers of a function, in memory they share. */
static struct breaker { unsigned failures; uint64_t open_until_us; } *breaker;

STARTUP(make_breaker)
{
	breaker = mmap(NULL, sizeof(*breaker), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return breaker != MAP_FAILED;
}

static bool
breaker_lets_through(void)
{
	uint64_t until = __atomic_load_n(&breaker->open_until_us, __ATOMIC_RELAXED);
	uint64_t now = now_us();

	if (__atomic_load_n(&breaker->failures, __ATOMIC_RELAXED) < BREAKER_FAILURES)
		return true;
	/* Whoever moves the time on is the one that tries. */
	return now >= until && __atomic_compare_exchange_n(&breaker->open_until_us, &until,
	    now + BREAKER_OPEN_US, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void
breaker_learn(bool answered)
{
	if (answered) {
		__atomic_store_n(&breaker->failures, 0, __ATOMIC_RELAXED);
	} else if (__atomic_add_fetch(&breaker->failures, 1, __ATOMIC_RELAXED) ==
	    BREAKER_FAILURES) {
		__atomic_store_n(&breaker->open_until_us, now_us() + BREAKER_OPEN_US,
		    __ATOMIC_RELAXED);
		log_line(LOG_WARN, "stripe does not answer; the circuit breaker opens", NULL);
	}
}

struct answer {
	struct req *rq;
	char *bytes;
	size_t length, room;
	long status;
	bool replayed;
	const char *should_retry;	/* "true", "false" or NULL */
};

static size_t
take_bytes(char *bytes, size_t size, size_t n, void *to)
{
	struct answer *a = to;

	(void)size;
	if (a->length + n > MAX_ANSWER)
		return 0;
	if (a->length + n >= a->room) {
		size_t room = (a->room + n) * 2;
		char *larger = mem(a->rq, room);

		memcpy(larger, a->bytes == NULL ? "" : a->bytes, a->length);
		a->bytes = larger;
		a->room = room;
	}
	memcpy(a->bytes + a->length, bytes, n);
	a->length += n;
	return n;
}

/* curl's lines do not end with a NUL. */
static bool
begins(const char *line, size_t n, const char *with)
{
	return n >= strlen(with) && strncasecmp(line, with, strlen(with)) == 0;
}

static size_t
take_header(char *line, size_t size, size_t n, void *to)
{
	struct answer *a = to;

	(void)size;
	if (begins(line, n, "idempotent-replayed: true"))
		a->replayed = true;
	if (begins(line, n, "stripe-should-retry: "))
		a->should_retry = begins(line, n, "stripe-should-retry: true") ? "true" : "false";
	return n;
}

/* One for all calls: it keeps the connection, and what is the same each time
 * is said once. */
static CURL *
handle(void)
{
	static CURL *curl;

	if (curl != NULL)
		return curl;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_easy_init();
	curl_only_http(curl);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 1000L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	return curl;
}

static const char *
encode_form(struct req *rq, CURL *curl, const struct stripe_field *fields)
{
	const char *form = "";

	for (; fields->name != NULL; fields++) {
		char *value = curl_easy_escape(curl, fields->value, 0);

		form = fmt(rq, "%s%s%s=%s", form, *form == '\0' ? "" : "&", fields->name,
		    value == NULL ? "" : value);
		curl_free(value);
	}
	return form;
}

static struct curl_slist *
headers(struct req *rq, const char *key)
{
	struct curl_slist *list = curl_slist_append(NULL, "Stripe-Version: " STRIPE_VERSION);

	list = curl_slist_append(list, fmt(rq, "Authorization: Bearer %s", secret_key.text));
	list = curl_slist_append(list, "Expect:");
	if (key != NULL)
		list = curl_slist_append(list, fmt(rq, "Idempotency-Key: %s", key));
	if (span_is_on(rq))
		list = curl_slist_append(list, fmt(rq, "traceparent: %s", req_trace(rq)));
	return list;
}

static CURLcode
attempt(struct req *rq, struct answer *a, const char *path, const char *key,
    const struct stripe_field *fields, long left_ms)
{
	CURL *curl = handle();
	struct curl_slist *list = headers(rq, key);
	CURLcode code;

	*a = (struct answer){ .rq = rq };
	curl_easy_setopt(curl, CURLOPT_URL, fmt(rq, "%s%s", api_base.text, path));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left_ms);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
	if (fields != NULL)
		curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, encode_form(rq, curl, fields));
	else
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(list);
	return code;
}

/* As Stripe's own libraries do: its word first, then the status.  But a fault
 * that it has kept under a key it only repeats. */
static bool
worth_another_try(CURLcode code, const struct answer *a)
{
	if (code != CURLE_OK)
		return true;
	if (a->replayed)
		return false;
	if (a->should_retry != NULL)
		return strcmp(a->should_retry, "true") == 0;
	return a->status == 409 || a->status == 429 || a->status >= 500;
}

static void
wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static struct stripe_reply
judge(struct req *rq, CURLcode code, const struct answer *a)
{
	struct stripe_reply r = { .status = (int)a->status, .replayed = a->replayed };
	const char *problem = "";
	const cJSON *root = code != CURLE_OK || a->length == 0 ? NULL
	    : body_parse(rq, a->bytes, a->length, &problem);

	if (code != CURLE_OK) {
		r.status = 0;
		r.outcome = STRIPE_AWAY;
		r.problem = fmt(rq, "no answer: %s", curl_easy_strerror(code));
		return r;
	}
	r.error = cJSON_GetObjectItemCaseSensitive(root, "error");
	if (a->status >= 200 && a->status < 300 && cJSON_IsObject(root)) {
		r.outcome = STRIPE_OK;
		r.body = root;
		return r;
	}
	r.outcome = a->status == 401 || a->status == 403 ? STRIPE_DENIED :
	    a->status >= 400 && a->status < 500 && a->status != 409 && a->status != 429
	    ? STRIPE_REFUSED : STRIPE_AWAY;
	problem = stripe_text(r.error, "message");
	problem = problem == NULL ? "?" : problem;
	r.problem = fmt(rq, "%ld: %.*s", a->status, (int)utf8_prefix(problem, 300), problem);
	return r;
}

/* A fault from before, repeated, says that Stripe is there: one key with such
 * an answer must not keep all the others from being asked for. */
static bool
is_there(const struct stripe_reply *r)
{
	return r->status != 0 && (r->status < 500 || r->replayed);
}

static void
count(const struct stripe_reply *r, uint64_t start)
{
	metric_add(r->outcome == STRIPE_OK ? &calls_ok :
	    r->outcome == STRIPE_AWAY ? &calls_away : &calls_refused, 1);
	metric_observe_us(&call_seconds, now_us() - start);
	breaker_learn(is_there(r));
	if (r->outcome != STRIPE_OK)
		log_line(r->outcome == STRIPE_DENIED ? LOG_ERROR : LOG_WARN,
		    "stripe does not do as asked", "problem", r->problem, NULL);
}

/* "stripe.post.payment_intents.id.cancel.before": what is called, without ids. */
static void
pass(struct req *rq, const char *when, const char *path, bool post)
{
#ifdef FAULT_POINTS
	const char *name = post ? "stripe.post" : "stripe.get";
	size_t n;

	path += strlen("/v1/");
	for (int part = 0; *path != '\0' && *path != '?'; part++, path += n + (path[n] == '/')) {
		n = strcspn(path, "/?");
		name = part % 2 == 1 ? fmt(rq, "%s.id", name) : fmt(rq, "%s.%.*s", name, (int)n, path);
	}
	fault_point(fmt(rq, "%s.%s", name, when));
#else
	(void)rq, (void)when, (void)path, (void)post;
#endif
}

/* "/v1/payment_intents/{id}/cancel" */
static const char *
pattern(struct req *rq, const char *path)
{
	const char *made = "/v1";
	size_t n;

	path += strlen("/v1");
	for (int part = 0; *path == '/'; part++, path += n) {
		n = strcspn(++path, "/?");
		made = part % 2 == 1 ? fmt(rq, "%s/{id}", made) : fmt(rq, "%s/%.*s", made, (int)n, path);
	}
	return made;
}

static void
note_call(struct req *rq, const struct span *span, const char *method, const char *template,
    const struct stripe_reply *r, int tries)
{
	span_end(rq, span, SPAN_CLIENT, fmt(rq, "%s %s", method, template), r->problem,
	    "http.request.method", method,
	    "url.template", template, "server.address", curl_host(rq, api_base.text),
	    "http.response.status_code", r->status == 0 ? NULL : text(rq, r->status),
	    "http.request.resend_count", tries == 1 ? NULL : text(rq, tries - 1), NULL);
}

/* At least one: a process that was held up for long has none left. */
static long
left_ms(uint64_t end)
{
	uint64_t now = now_us();

	return now < end ? (long)((end - now) / 1000) + 1 : 1;
}

static struct stripe_reply
call(struct req *rq, const char *path, const char *key, const struct stripe_field *fields)
{
	uint64_t start = now_us();
	uint64_t end = start + (uint64_t)patience_ms.number * 1000;
	long delay = FIRST_DELAY_MS;
	struct stripe_reply r;
	struct answer a;
	struct span span;
	CURLcode code;
	int tries;

	if (!breaker_lets_through()) {
		metric_add(&calls_withheld, 1);
		return (struct stripe_reply){ .outcome = STRIPE_AWAY,
		    .problem = "not asked: the circuit breaker is open" };
	}
	span_begin(rq, &span);
	for (tries = 1; ; tries++) {
		pass(rq, "before", path, fields != NULL);
		code = attempt(rq, &a, path, key, fields, left_ms(end));
		pass(rq, "after", path, fields != NULL);
		if (!worth_another_try(code, &a) || tries == MAX_TRIES ||
		    now_us() + (uint64_t)delay * 2000 > end)
			break;
		wait_ms(delay / 2 + (long)(now_us() % (uint64_t)delay) / 2);
		delay *= 2;
	}
	r = judge(rq, code, &a);
	count(&r, start);
	if (span_is_on(rq))
		note_call(rq, &span, fields != NULL ? "POST" : "GET", pattern(rq, path), &r, tries);
	return r;
}

struct stripe_reply
stripe_post(struct req *rq, const char *path, const char *key,
    const struct stripe_field *fields)
{
	return call(rq, path, key, fields);
}

struct stripe_reply
stripe_get(struct req *rq, const char *path)
{
	return call(rq, path, NULL, NULL);
}

const char *
stripe_text(const cJSON *object, const char *name)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(m) || cJSON_IsNumber(m) ? m->valuestring : NULL;
}

const char *
stripe_id(const cJSON *object)
{
	enum { LONGEST = 255 };
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, "id");
	const char *id = cJSON_IsString(m) ? m->valuestring : "";
	size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	return n >= 1 && n <= LONGEST && id[n] == '\0' ? id : NULL;
}

const char *
stripe_amount(const cJSON *object, const char *name)
{
	enum { MOST_DIGITS = 15 };
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);
	const char *digits = cJSON_IsNumber(m) ? m->valuestring : "";
	size_t n = strspn(digits, "0123456789");

	return n >= 1 && n <= MOST_DIGITS && digits[n] == '\0' ? digits : NULL;
}
