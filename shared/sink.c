#include "sink.h"
#include "curl_http.h"
#include "span.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

SETTING_TEXT(overrides, "K_CE_OVERRIDES", NULL,
    "JSON: {\"extensions\": {\"name\": \"value\"}}, added to every event");
SETTING_TEXT(authorities, "K_CA_CERTS", NULL,
    "Certificates in PEM that an https K_SINK is believed by, besides the system's");
SETTING_TEXT(source, "EVENT_SOURCE", "/souk", "The source of events: a URI-reference");
SETTING_TEXT(type_prefix, "EVENT_TYPE_PREFIX", "example.souk.",
    "What event types begin with: a domain of yours, backwards");

enum { MAX_EXTENSIONS = 16, MAX_NAME = 20, CONNECT_MS = 2000 };

static cJSON *given;			/* of K_CE_OVERRIDES; as long as the process */
static const cJSON *extensions;

static bool
refuse(const char *setting, const char *why)
{
	log_line(LOG_ERROR, "a setting is not as it should be", "setting", setting,
	    "problem", why, NULL);
	return false;
}

static bool
is_extension(const cJSON *e)
{
	size_t n = strspn(e->string, "abcdefghijklmnopqrstuvwxyz0123456789");

	return n >= 1 && n <= MAX_NAME && e->string[n] == '\0' && cJSON_IsString(e);
}

STARTUP(read_sink_settings)
{
	if (sink_url() != NULL && strncmp(sink_url(), "http://", 7) != 0 &&
	    strncmp(sink_url(), "https://", 8) != 0)
		return refuse("K_SINK", "it must begin with http:// or https://");
	if (overrides.text == NULL)
		return true;
	given = cJSON_Parse(overrides.text);
	extensions = cJSON_GetObjectItemCaseSensitive(given, "extensions");
	if (!cJSON_IsObject(given) || (extensions != NULL && !cJSON_IsObject(extensions)) ||
	    cJSON_GetArraySize(extensions) > MAX_EXTENSIONS)
		return refuse("K_CE_OVERRIDES", "it must be an object with a few extensions");
	for (const cJSON *e = extensions == NULL ? NULL : extensions->child; e != NULL; e = e->next)
		if (!is_extension(e))
			return refuse("K_CE_OVERRIDES", "names are of 1 to 20 lower-case"
			    " letters and digits, values text");
	return true;
}

const char *
sink_header(struct req *rq, const char *text)
{
	char *out = mem(rq, 3 * strlen(text) + 1), *to = out;

	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (*c > ' ' && *c < 0x7f && *c != '"' && *c != '%')
			*to++ = (char)*c;
		else
			to += sprintf(to, "%%%02X", *c);
	}
	return out;
}

static struct curl_slist *
add(struct req *rq, struct curl_slist *list, const char *name, const char *value)
{
	return curl_slist_append(list, fmt(rq, "ce-%s: %s", name, sink_header(rq, value)));
}

/* It tells of what it is a part of, for whoever hears of it (CloudEvents' extension
 * for distributed tracing); who takes it is told whose child that is. */
static struct curl_slist *
add_trace(struct req *rq, struct curl_slist *list, const struct sink_event *e,
    const struct span *span)
{
	const char *sending = span_traceparent(rq, span);

	if (e->trace != NULL)
		list = add(rq, list, "traceparent", e->trace);
	if (sending == NULL && e->trace == NULL)
		return list;
	return curl_slist_append(list, fmt(rq, "traceparent: %s", sending != NULL ? sending : e->trace));
}

static struct curl_slist *
headers(struct req *rq, const struct sink_event *e, const struct span *span)
{
	struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");

	list = curl_slist_append(list, "Expect:");
	list = add(rq, list, "specversion", "1.0");
	list = add(rq, list, "id", e->id);
	list = add(rq, list, "source", source.text);
	list = add(rq, list, "type", fmt(rq, "%s%s", type_prefix.text, e->type));
	list = add(rq, list, "subject", e->subject);
	list = add(rq, list, "time", e->time);
	list = add(rq, list, "sequence", e->sequence);
	/* A broker that keeps the order keeps it by this. */
	list = add(rq, list, "partitionkey", e->subject);
	list = add_trace(rq, list, e, span);
	for (const cJSON *x = extensions == NULL ? NULL : extensions->child; x != NULL; x = x->next)
		list = add(rq, list, x->string, x->valuestring);
	return list;
}

static size_t
ignore(char *bytes, size_t size, size_t n, void *to)
{
	(void)bytes;
	(void)to;
	return size * n;
}

static void
trust(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x074d00	/* 7.77 */
	struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };

	if (authorities.text == NULL)
		return;
	blob.data = (void *)(uintptr_t)authorities.text;
	blob.len = strlen(authorities.text);
	curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
#else
	(void)c;
#endif
}

/* The connections of all are the multi handle's, and kept. */
static CURL *
handle(size_t i)
{
	static CURL *handles[SINK_AT_ONCE];
	CURL *c = handles[i];

	if (c != NULL)
		return c;
	c = handles[i] = curl_easy_init();
	curl_only_http(c);
	curl_easy_setopt(c, CURLOPT_URL, sink_url());
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)SINK_SECONDS);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "souk");
	trust(c);
	return c;
}

/* Of the data plane's codes: 404, 408, 409, 429 and 5xx are for later, other 4xx
 * for good.  Who must sign in first may be let in later. */
static void
judge(struct req *rq, struct sink_event *e, CURLcode code, long status)
{
	if (code != CURLE_OK) {
		e->outcome = SINK_AGAIN;
		e->problem = fmt(rq, "no answer: %s", curl_easy_strerror(code));
	} else if (status >= 200 && status < 300) {
		e->outcome = SINK_TAKEN;
		e->problem = NULL;
	} else {
		e->outcome = status >= 400 && status < 500 && status != 401 && status != 403 &&
		    status != 404 && status != 408 && status != 409 && status != 429
		    ? SINK_REFUSED : SINK_AGAIN;
		e->problem = fmt(rq, "the sink answers %ld", status);
	}
}

/* One event on its way. */
struct posting { struct sink_event *event; struct curl_slist *list; struct span span; };

static void
conclude(struct req *rq, struct posting *p, CURLcode code, CURL *c)
{
	struct sink_event *e = p->event;
	long status = 0;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	judge(rq, e, code, status);
	if (p->span.id[0] != '\0')
		span_end(rq, &p->span, SPAN_CLIENT, fmt(rq, "send %s", e->type), e->problem,
		    "http.request.method", "POST", "server.address", curl_host(rq, sink_url()),
		    "http.response.status_code", status == 0 ? NULL : text(rq, status),
		    "cloudevents.event_id", e->id, "cloudevents.event_type", e->type,
		    "cloudevents.event_subject", e->subject, NULL);
}

/* Those that have ended. */
static void
conclude_some(struct req *rq, CURLM *multi)
{
	const struct CURLMsg *m;
	struct posting *p;
	int left;

	while ((m = curl_multi_info_read(multi, &left)) != NULL) {
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
		conclude(rq, p, m->data.result, m->easy_handle);
	}
}

void
sink_post(struct req *rq, struct sink_event *events, size_t n)
{
	static CURLM *multi;
	struct posting postings[SINK_AT_ONCE];
	int running = 1;

	if (multi == NULL) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		multi = curl_multi_init();
	}
	for (size_t i = 0; i < n; i++) {
		struct posting *p = &postings[i];
		CURL *c = handle(i);

		events[i].outcome = SINK_AGAIN;
		events[i].problem = "it could not be sent";
		p->event = &events[i];
		span_begin_apart(rq, &p->span, events[i].trace);
		p->list = headers(rq, &events[i], &p->span);
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, p->list);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, events[i].data);
		curl_easy_setopt(c, CURLOPT_PRIVATE, p);
		curl_multi_add_handle(multi, c);
	}
	while (running > 0 && curl_multi_perform(multi, &running) == CURLM_OK) {
		conclude_some(rq, multi);
		if (running > 0)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	for (size_t i = 0; i < n; i++) {
		curl_multi_remove_handle(multi, handle(i));
		curl_slist_free_all(postings[i].list);
	}
}
