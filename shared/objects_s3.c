#include "objects_s3.h"
#include "curl_http.h"
#include "hex.h"
#include "span.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

SETTING_TEXT(endpoint, "S3_ENDPOINT", NULL,
    "Where pictures are stored, in a store that speaks S3; unset: in Postgres");
SETTING_TEXT(bucket, "S3_BUCKET", "souk",
    "The bucket, which must exist");
SETTING_TEXT(region, "S3_REGION", "us-east-1",
    "The region that requests are signed for");
SETTING_TEXT(access_key, "S3_ACCESS_KEY", NULL,
    "Who signs; needed with S3_ENDPOINT");
SETTING_SECRET_OPTIONAL(secret_key, "S3_SECRET_KEY",
    "What is signed with; needed with S3_ENDPOINT");
SETTING_INT(patience_ms, "S3_TIMEOUT_MS", 5000, 100, 20000,
    "Milliseconds one call to the store may take, its retries included");
HISTOGRAM(call_seconds, "object_store_duration_seconds", "",
    "Time a call to the S3 store takes, its retries included");
COUNTER(calls_ok, "object_store_requests_total", "outcome=\"ok\"", "Calls to the S3 store");
COUNTER(calls_failed, "object_store_requests_total", "outcome=\"failed\"", "Calls to the S3 store");

enum {
	MAX_TRIES = 3,
	FIRST_DELAY_MS = 100,
	MAX_OBJECT = 4 << 20
};

STARTUP(check_store)
{
	const char *missing = access_key.text == NULL ? "S3_ACCESS_KEY" :
	    secret_key.text == NULL ? "S3_SECRET_KEY (or S3_SECRET_KEY_FILE)" : NULL;

	if (endpoint.text == NULL)
		return true;
	if (strncmp(endpoint.text, "http://", 7) != 0 && strncmp(endpoint.text, "https://", 8) != 0)
		fprintf(stderr, "souk: S3_ENDPOINT must begin with http:// or https://, not \"%s\"\n",
		    endpoint.text);
	else if (missing != NULL)
		fprintf(stderr, "souk: S3_ENDPOINT is set: set %s, too\n", missing);
	else
		return true;
	return false;
}

bool
s3_is_configured(void)
{
	return endpoint.text != NULL;
}

struct call {
	struct req	*rq;
	CURL		*curl;
	const char	*method;
	const struct object *object;	/* of a PUT, what is put */
	char		*bytes;		/* the answer */
	size_t		 length, room;
	long		 status;
};

static size_t
take_bytes(char *bytes, size_t size, size_t n, void *to)
{
	struct call *c = to;

	(void)size;
	if (c->bytes == NULL) {		/* the announced length, or what there is */
		curl_off_t announced = -1;

		curl_easy_getinfo(c->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
		c->room = announced < 0 ? 64 << 10 : (size_t)announced;
		if (c->room > MAX_OBJECT)
			return 0;
		c->bytes = mem(c->rq, c->room + 1);
	}
	if (n > c->room - c->length)
		return 0;
	memcpy(c->bytes + c->length, bytes, n);
	c->length += n;
	return n;
}

static CURL *
handle(void)
{
	static CURL *curl;

	if (curl == NULL) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		curl = curl_easy_init();
	}
	curl_easy_reset(curl);		/* keeps the connection */
	return curl;
}

/* curl 7.88 signs what these say, the hash of the body too, but does not make
 * that one by itself; and it signs "Expect:", which means that there is none. */
static struct curl_slist *
headers(struct call *c)
{
	struct curl_slist *list;
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hash[2 * EVP_MAX_MD_SIZE + 1];
	unsigned n;

	EVP_Digest(c->object->length == 0 ? "" : c->object->bytes, c->object->length,
	    digest, &n, EVP_sha256(), NULL);
	*put_hex(hash, digest, n) = '\0';
	list = curl_slist_append(NULL, fmt(c->rq, "x-amz-content-sha256: %s", hash));
	if (c->object->type != NULL)
		list = curl_slist_append(list, fmt(c->rq, "Content-Type: %s", c->object->type));
	return list;
}

static CURLcode
attempt(struct call *c, long left_ms)
{
	CURL *curl = c->curl = handle();
	struct curl_slist *list = headers(c);
	size_t n = strlen(endpoint.text);
	CURLcode code;

	c->bytes = NULL;
	c->length = c->room = 0;
	n -= endpoint.text[n - 1] == '/';
	curl_only_http(curl);
	curl_easy_setopt(curl, CURLOPT_URL, fmt(c->rq, "%.*s/%s/%s", (int)n, endpoint.text,
	    bucket.text, c->object->key));
	if (strcmp(c->method, "PUT") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->object->length);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, c->object->bytes);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, c->method);
	curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, fmt(c->rq, "aws:amz:%s:s3", region.text));
	curl_easy_setopt(curl, CURLOPT_USERNAME, access_key.text);
	curl_easy_setopt(curl, CURLOPT_PASSWORD, secret_key.text);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 1000L);
	curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left_ms);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, c);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &c->status);
	curl_slist_free_all(list);
	return code;
}

static void
wait_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static bool
refuse(struct call *c, CURLcode code)
{
	metric_add(&calls_failed, 1);
	log_line(LOG_ERROR, "the object store does not do as asked", "request_id", req_id(c->rq),
	    "problem", code != CURLE_OK ? curl_easy_strerror(code)
	    : fmt(c->rq, "%ld: %.300s", c->status, c->bytes == NULL ? "" : c->bytes), NULL);
	fail_text(c->rq, ERR_UNAVAILABLE, "The store of pictures does not answer; try again shortly");
	return false;
}

static void
note_call(struct call *c, const struct span *span, CURLcode code, int tries)
{
	struct req *rq = c->rq;
	const char *status = c->status == 0 ? NULL : text(rq, c->status);

	span_end(rq, span, SPAN_CLIENT, fmt(rq, "%s /{bucket}/{key}", c->method),
	    code != CURLE_OK ? curl_easy_strerror(code) : c->status >= 400 ? status : NULL,
	    "http.request.method", c->method, "url.template", "/{bucket}/{key}",
	    "server.address", curl_host(rq, endpoint.text), "http.response.status_code", status,
	    "http.request.resend_count", tries == 1 ? NULL : text(rq, tries - 1), NULL);
}

/* Anything but a success or, where it may be, a 404 refuses the request. */
static bool
call(struct req *rq, const char *method, const struct object *o, struct call *c)
{
	uint64_t start = now_us(), end = start + (uint64_t)patience_ms.number * 1000;
	long delay = FIRST_DELAY_MS;
	struct span span;
	CURLcode code;
	int tries;

	if (req_failed(rq))
		return false;
	*c = (struct call){ .rq = rq, .method = method, .object = o };
	span_begin(rq, &span);
	for (tries = 1; ; tries++) {
		code = attempt(c, (long)((end - now_us()) / 1000) + 1);
		if ((code == CURLE_OK && c->status < 500 && c->status != 429) ||
		    tries == MAX_TRIES || now_us() + (uint64_t)delay * 2000 > end)
			break;
		wait_ms(delay);
		delay *= 2;
	}
	metric_observe_us(&call_seconds, now_us() - start);
	if (span_is_on(rq))
		note_call(c, &span, code, tries);
	if (code != CURLE_OK || ((c->status < 200 || c->status > 299) && c->status != 404))
		return refuse(c, code);
	metric_add(&calls_ok, 1);
	return true;
}

bool
s3_put(struct req *rq, const struct object *o)
{
	struct call c;

	if (!call(rq, "PUT", o, &c))
		return false;
	return c.status != 404 || refuse(&c, CURLE_OK);	/* there is no such bucket */
}

bool
s3_delete(struct req *rq, const char *key)
{
	struct call c;

	return call(rq, "DELETE", &(struct object){ .key = key }, &c);
}

bool
s3_get(struct req *rq, struct object *o)
{
	struct call c;

	if (!call(rq, "GET", &(struct object){ .key = o->key }, &c) || c.status == 404)
		return false;
	o->bytes = c.bytes == NULL ? "" : c.bytes;
	o->length = c.length;
	return true;
}
