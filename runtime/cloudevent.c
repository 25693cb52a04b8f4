#include "cloudevent.h"
#include "body.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

/* Those that the specification names; any other is an extension. */
static const struct attribute { const char *name; size_t offset; bool required; } attributes[] = {
	{ "specversion", offsetof(struct event, specversion), true },
	{ "id", offsetof(struct event, id), true },
	{ "source", offsetof(struct event, source), true },
	{ "type", offsetof(struct event, type), true },
	{ "subject", offsetof(struct event, subject), false },
	{ "time", offsetof(struct event, time), false },
	{ "dataschema", offsetof(struct event, dataschema), false },
	{ "datacontenttype", offsetof(struct event, datacontenttype), false },
};
enum { ATTRIBUTES = sizeof(attributes) / sizeof(attributes[0]) };

static const char **
member(struct event *e, const struct attribute *a)
{
	return (const char **)(void *)((char *)e + a->offset);
}

static const struct attribute *
attribute_named(const char *name)
{
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (strcmp(attributes[i].name, name) == 0)
			return &attributes[i];
	return NULL;
}

/* Unicode without controls and noncharacters (core specification, String). */
static bool
is_string(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text), n;

	for (; left > 0; s += n, left -= n) {
		n = utf8_length(s, left);
		if (n == 0 || *s < ' ' || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0))
			return false;
		if (n == 3 && *s == 0xef && ((s[1] == 0xb7 && s[2] >= 0x90 && s[2] <= 0xaf) ||
		    (s[1] == 0xbf && s[2] >= 0xbe)))
			return false;
		if (n == 4 && (s[1] & 0x0f) == 0x0f && s[2] == 0xbf && s[3] >= 0xbe)
			return false;
	}
	return true;
}

/* Takes the quotes off in place, and what stands before a quoted character. */
static char *
unquote(char *s)
{
	size_t n = strlen(s);
	char *to = s;

	if (n < 2 || *s != '"' || s[n - 1] != '"')
		return s;
	for (const char *from = s + 1; from < s + n - 1; from++) {
		if (*from == '\\' && from + 1 < s + n - 1)
			from++;
		*to++ = *from;
	}
	*to = '\0';
	return s;
}

const char *
cloudevent_header(struct req *rq, const char *value)
{
	char *text = unquote(fmt(rq, "%s", value));
	const char *decoded = url_decode(rq, text, strlen(text), false);

	return decoded != NULL && is_string(decoded) ? decoded : NULL;
}

static const char *
take_number(const char *s, size_t digits, int least, int most)
{
	int n = 0;

	for (size_t i = 0; i < digits; i++) {
		if (s == NULL || !isdigit((unsigned char)s[i]))
			return NULL;
		n = n * 10 + (s[i] - '0');
	}
	return n >= least && n <= most ? s + digits : NULL;
}

static const char *
take_one_of(const char *s, const char *characters)
{
	return s != NULL && *s != '\0' && strchr(characters, *s) != NULL ? s + 1 : NULL;
}

/* RFC 3339, as far as digits go. */
static bool
is_time(const char *s)
{
	s = take_one_of(take_number(s, 4, 0, 9999), "-");
	s = take_one_of(take_number(s, 2, 1, 12), "-");
	s = take_one_of(take_number(s, 2, 1, 31), "Tt");
	s = take_one_of(take_number(s, 2, 0, 23), ":");
	s = take_one_of(take_number(s, 2, 0, 59), ":");
	s = take_number(s, 2, 0, 60);
	if (s != NULL && *s == '.') {
		size_t n = strspn(++s, "0123456789");

		s = n == 0 ? NULL : s + n;
	}
	if (s == NULL || *s == 'Z' || *s == 'z')
		return s != NULL && s[1] == '\0';
	s = take_one_of(take_number(take_one_of(s, "+-"), 2, 0, 23), ":");
	s = take_number(s, 2, 0, 59);
	return s != NULL && *s == '\0';
}

static void
refuse(struct req *rq, const char *prefix, const char *name, const char *code,
    const char *message)
{
	fail_field(rq, fmt(rq, "%s%s", prefix, name), code, message);
}

static void
check(struct req *rq, struct event *e, const char *prefix)
{
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		const struct attribute *a = &attributes[i];
		const char *value = *member(e, a);

		if (value == NULL && a->required)
			refuse(rq, prefix, a->name, "required", "An event needs it");
		else if (value != NULL && (*value == '\0' || strlen(value) > MAX_EVENT_TEXT))
			refuse(rq, prefix, a->name, "length", "It is empty or too long");
	}
	if (e->specversion != NULL && strcmp(e->specversion, "1.0") != 0)
		refuse(rq, prefix, "specversion", "choice", "Only 1.0 is understood");
	if (e->time != NULL && !is_time(e->time))
		refuse(rq, prefix, "time", "format", "A time is as RFC 3339 writes it");
}

/* "CE_ID=1" of a variable HTTP_CE_ID; NULL when it is another one. */
static const char *
event_variable(const char *variable)
{
	return strncmp(variable, "HTTP_CE_", 8) == 0 ? variable + 8 : NULL;
}

static bool
is_binary(const struct req *rq)
{
	for (char *const *v = rq->in.variables; *v != NULL; v++)
		if (event_variable(*v) != NULL)
			return true;
	return false;
}

static void
read_header(struct req *rq, struct event *e, const char *variable)
{
	size_t n = strcspn(variable, "=");
	char *name = fmt(rq, "%.*s", (int)n, variable);
	const struct attribute *a;
	const char *value;

	for (char *c = name; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	value = variable[n] == '=' ? cloudevent_header(rq, variable + n + 1) : NULL;
	a = attribute_named(name);
	if (strcmp(name, "datacontenttype") == 0)
		refuse(rq, "ce-", name, "unknown", "The Content-Type says it");
	else if (value == NULL)
		refuse(rq, "ce-", name, "format", "It is not encoded as the HTTP binding says");
	else if (a != NULL)
		*member(e, a) = value;
}

static void
read_binary(struct req *rq, struct event *e)
{
	for (char *const *v = rq->in.variables; *v != NULL; v++)
		if (event_variable(*v) != NULL)
			read_header(rq, e, event_variable(*v));
	check(rq, e, "ce-");
}

static void
read_member(struct req *rq, struct event *e, const cJSON *m)
{
	const char *name = body_excerpt(rq, m->string);
	size_t n = strspn(m->string, "abcdefghijklmnopqrstuvwxyz0123456789");
	const struct attribute *a = attribute_named(m->string);

	if (strcmp(m->string, "data") == 0 || cJSON_IsNull(m))
		return;
	if (strcmp(m->string, "data_base64") == 0) {
		if (!cJSON_IsString(m))
			refuse(rq, "", name, "type", "It is text in base64");
	} else if (n == 0 || m->string[n] != '\0') {
		refuse(rq, "", name, "unknown", "Attributes are of lower-case letters and digits");
	} else if (a == NULL ? cJSON_IsObject(m) || cJSON_IsArray(m)
	    : !cJSON_IsString(m) || !is_string(m->valuestring)) {
		refuse(rq, "", name, "type", "An attribute is text, a number or a boolean");
	} else if (a != NULL) {
		*member(e, a) = m->valuestring;
	}
}

static void
read_structured(struct req *rq, struct event *e)
{
	const char *problem = "The body is not a JSON object";
	const cJSON *root = body_parse(rq, rq->in.body, rq->in.body_length, &problem);

	if (!cJSON_IsObject(root)) {
		fail_text(rq, ERR_MALFORMED, "%s", problem);
		return;
	}
	for (const cJSON *m = root->child; m != NULL; m = m->next)
		read_member(rq, e, m);
	if (cJSON_GetObjectItemCaseSensitive(root, "data") != NULL &&
	    cJSON_GetObjectItemCaseSensitive(root, "data_base64") != NULL)
		refuse(rq, "", "data_base64", "unknown", "There is data already");
	check(rq, e, "");
}

bool
cloudevent_read(struct req *rq, struct event *e)
{
	static const char family[] = "application/cloudevents";
	const char *type = rq->content_type == NULL ? "" : rq->content_type;
	size_t n = strcspn(type, "; \t");

	*e = (struct event){ 0 };
	if (strncasecmp(type, family, sizeof(family) - 1) != 0) {
		if (is_binary(rq))
			read_binary(rq, e);
	} else if (n == sizeof(family) + 4 && strncasecmp(type + sizeof(family) - 1, "+json", 5) == 0) {
		read_structured(rq, e);
	} else {
		fail_text(rq, ERR_UNSUPPORTED_MEDIA_TYPE,
		    "One event at a time, as headers or as application/cloudevents+json");
	}
	return !req_failed(rq);
}

bool
cloudevent_take(struct req *rq)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	const char *path = rq->entry->endpoint->path, *text;
	struct event e;

	if (!cloudevent_read(rq, &e))
		return false;
	if (e.id == NULL)
		return true;
	/* Several functions may get the same event. */
	text = fmt(rq, "%s\n%s\n%s", path, e.source, e.id);
	if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1) {
		fail(rq, ERR_INTERNAL);
		return false;
	}
	rq->event = true;
	rq->idempotency_key = digest_hex(rq, digest);
	/* Source and id are all that makes it the same, whatever else differs. */
	rq->fingerprint = "event";
	return true;
}
