#include "otlp_settings.h"
#include "encoding.h"
#include "fn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

SETTING_TEXT(endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT", NULL,
    "Where an OpenTelemetry collector takes OTLP/HTTP: http://host:4318 or https://host;"
    " without it no traces are exported");
SETTING_TEXT(traces_endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NULL,
    "The same for traces alone, with its whole path");
SETTING_SECRET_OPTIONAL(headers, "OTEL_EXPORTER_OTLP_HEADERS",
    "Headers for the collector: name=value,name=value");
SETTING_SECRET_OPTIONAL(traces_headers, "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "The same for traces alone, instead of those");
SETTING_TEXT(certificate, "OTEL_EXPORTER_OTLP_CERTIFICATE", NULL,
    "The certificates (PEM) that an https collector is believed by; unset: those of the system");
SETTING_TEXT(traces_certificate, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", NULL,
    "The same for traces alone");
SETTING_INT(patience_ms, "OTEL_EXPORTER_OTLP_TIMEOUT", 10000, 1, 600000,
    "Milliseconds that the collector has to take a batch");
SETTING_INT(traces_patience_ms, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", 0, 0, 600000,
    "The same for traces alone; 0: no other");
SETTING_TEXT(disabled, "OTEL_SDK_DISABLED", "false", "true: no traces are exported");
SETTING_TEXT(exporter, "OTEL_TRACES_EXPORTER", "otlp", "none: no traces are exported");
SETTING_TEXT(service_name, "OTEL_SERVICE_NAME", NULL, "service.name of the spans (souk)");
SETTING_TEXT(resource, "OTEL_RESOURCE_ATTRIBUTES", NULL,
    "More that all spans say of where they come from: key=value,key=value");
SETTING_TEXT(sampler, "OTEL_TRACES_SAMPLER", "parentbased_always_on",
    "Which traces are exported: always_on, always_off or traceidratio; with parentbased_"
    " before it that is so of traces begun here, and of others what those who began them say");
SETTING_TEXT(sampler_argument, "OTEL_TRACES_SAMPLER_ARG", "1",
    "The share of traceidratio, from 0 to 1");

/* There is one way each. */
SETTING_TEXT(protocol, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "There is no other");
SETTING_TEXT(traces_protocol, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "There is no other");
SETTING_TEXT(compression, "OTEL_EXPORTER_OTLP_COMPRESSION", "none", "There is no other");
SETTING_TEXT(traces_compression, "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none", "There is no other");
SETTING_TEXT(client_certificate, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "", "There is none");
SETTING_TEXT(client_key, "OTEL_EXPORTER_OTLP_CLIENT_KEY", "", "There is none");
SETTING_TEXT(traces_client_certificate, "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "", "There is none");
SETTING_TEXT(traces_client_key, "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "", "There is none");

static const struct { const struct setting *setting; const char *only; } fixed[] = {
	{ &protocol, "http/json" }, { &traces_protocol, "http/json" },
	{ &compression, "none" }, { &traces_compression, "none" },
	{ &client_certificate, "" }, { &client_key, "" },
	{ &traces_client_certificate, "" }, { &traces_client_key, "" },
};

static struct otlp_collector collector;
static char attributes[8 << 10];
static bool heeds_parent, named;	/* named: by the resource's attributes */
static uint64_t threshold;		/* of trace ids, as the sampler has it */

static bool
refuse(const char *name, const char *why)
{
	fprintf(stderr, "souk: %s %s\n", name, why);
	return false;
}

/* A setting for traces alone, or that for all there is. */
static const struct setting *
closer(const struct setting *traces, const struct setting *all)
{
	return traces->text != NULL ? traces : all;
}

/* http[s]://host[:port][/path] */
static bool
take_url(const char *name, const char *url, const char *suffix)
{
	struct otlp_collector *c = &collector;
	const char *at, *end, *colon;
	size_t n, path_length;

	c->tls = strncmp(url, "https://", strlen("https://")) == 0;
	if (!c->tls && strncmp(url, "http://", strlen("http://")) != 0)
		return refuse(name, "must begin with http:// or https://");
	at = strstr(url, "://") + strlen("://");
	end = at + strcspn(at, "/?#");
	colon = *at == '[' ? strchr(at, ']') : at;
	colon = colon == NULL || colon > end ? NULL : memchr(colon, ':', (size_t)(end - colon));
	n = (size_t)((colon == NULL ? end : colon) - at);
	if (*at == '[' && n > 2 && at[n - 1] == ']')
		snprintf(c->host, sizeof(c->host), "%.*s", (int)(n - 2), at + 1);
	else
		snprintf(c->host, sizeof(c->host), "%.*s", (int)n, at);
	if (colon == NULL)
		strcpy(c->port, c->tls ? "443" : "80");
	else
		snprintf(c->port, sizeof(c->port), "%.*s", (int)(end - colon - 1), colon + 1);
	path_length = strlen(end);
	while (*suffix != '\0' && path_length > 0 && end[path_length - 1] == '/')
		path_length--;
	snprintf(c->path, sizeof(c->path), "%.*s%s", (int)path_length, end, suffix);
	if (n == 0 || n >= sizeof(c->host) || *c->host == '[' || strspn(c->port, "0123456789") != strlen(c->port) ||
	    *c->port == '\0' || path_length + strlen(suffix) >= sizeof(c->path) ||
	    strpbrk(url, " \t\r\n\"@") != NULL)
		return refuse(name, "must be http://host:port or https://host:port");
	if (*c->path == '\0')
		strcpy(c->path, "/");
	return true;
}

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			return false;
	return true;
}

/* Of each pair of "key=value,key=value". */
static bool
each_pair(const struct setting *list, bool (*take)(const char *key, const char *value))
{
	char *copy = list->text == NULL ? NULL : strdup(list->text), *rest = copy, *pair;
	bool good = list->text == NULL || copy != NULL;

	while (good && (pair = strsep(&rest, ",")) != NULL) {
		char *value = strchr(pair, '=');

		pair += strspn(pair, " ");
		if (*pair == '\0')
			continue;
		good = value != NULL;
		if (!good)
			break;
		*value++ = '\0';
		percent_decode(value);
		good = is_printable(pair) && is_printable(value) && take(pair, value);
	}
	free(copy);
	return good || refuse(list->name, "must be key=value,key=value");
}

static bool
add_header(const char *key, const char *value)
{
	size_t n = strlen(collector.headers), room = sizeof(collector.headers) - n;

	return strpbrk(key, " :") == NULL &&
	    (size_t)snprintf(collector.headers + n, room, "%s: %s\r\n", key, value) < room;
}

static bool
put_attribute(const char *key, const char *value)
{
	size_t n = strlen(attributes), room = sizeof(attributes) - n;

	return is_printable(key) && is_printable(value) && (size_t)snprintf(attributes + n, room,
	    "%s{\"key\":\"%s\",\"value\":{\"stringValue\":\"%s\"}}", n == 0 ? "" : ",",
	    key, value) < room;
}

/* What a setting of its own says comes before them. */
static bool
add_attribute(const char *key, const char *value)
{
	bool names = strcmp(key, "service.name") == 0;

	if (strcmp(key, "faas.name") == 0 || (names && service_name.text != NULL))
		return true;
	named = named || names;
	return put_attribute(key, value);
}

static bool
describe_resource(const char *function)
{
	const char *service = service_name.text;

	if (!put_attribute("faas.name", function) || !each_pair(&resource, add_attribute))
		return false;
	return named || put_attribute("service.name", service == NULL ? "souk" : service) ||
	    refuse("OTEL_SERVICE_NAME", "must be a name");
}

static bool
choose_sampler(void)
{
	static const char parent_based[] = "parentbased_";
	const char *name = sampler.text;
	char *end;
	double share = strtod(sampler_argument.text, &end);

	heeds_parent = strncmp(name, parent_based, strlen(parent_based)) == 0;
	name += heeds_parent ? strlen(parent_based) : 0;
	if (strcmp(name, "always_on") == 0)
		share = 1;
	else if (strcmp(name, "always_off") == 0)
		share = 0;
	else if (strcmp(name, "traceidratio") != 0)
		return refuse(sampler.name, "must be always_on, always_off or traceidratio, or one"
		    " of them with parentbased_ before it");
	else if (*end != '\0' || end == sampler_argument.text || !(share >= 0 && share <= 1))
		return refuse(sampler_argument.name, "must be from 0 to 1");
	threshold = share >= 1 ? UINT64_MAX : (uint64_t)(share * 18446744073709551616.0);
	return true;
}

bool
otlp_samples(const char *trace_id, const bool *told)
{
	if (told != NULL && heeds_parent)
		return *told;
	/* The random half of an id: the same answer wherever it is asked. */
	return threshold == UINT64_MAX || strtoull(trace_id + 16, NULL, 16) < threshold;
}

bool
otlp_is_asked_for(void)
{
	return closer(&traces_endpoint, &endpoint)->text != NULL &&
	    strcasecmp(disabled.text, "true") != 0 && strcmp(exporter.text, "none") != 0;
}

static bool
has_only_what_there_is(void)
{
	char why[64];

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		if (strcmp(fixed[i].setting->text, fixed[i].only) == 0)
			continue;
		snprintf(why, sizeof(why), *fixed[i].only == '\0' ? "must not be set" : "must be %s",
		    fixed[i].only);
		return refuse(fixed[i].setting->name, why);
	}
	if (strcasecmp(disabled.text, "false") != 0)
		return refuse(disabled.name, "must be true or false");
	return strcmp(exporter.text, "otlp") == 0 || refuse(exporter.name, "must be otlp or none");
}

static bool
take_authorities(const struct setting *file)
{
	collector.authorities = file->text;
	return file->text == NULL || access(file->text, R_OK) == 0 ||
	    refuse(file->name, "names a file that cannot be read");
}

bool
otlp_read_settings(const char *function)
{
	const struct setting *where = closer(&traces_endpoint, &endpoint);

	collector.patience_ms = traces_patience_ms.number > 0 ? traces_patience_ms.number
	    : patience_ms.number;
	return has_only_what_there_is() &&
	    take_url(where->name, where->text, where == &endpoint ? "/v1/traces" : "") &&
	    take_authorities(closer(&traces_certificate, &certificate)) &&
	    each_pair(closer(&traces_headers, &headers), add_header) &&
	    describe_resource(function) && choose_sampler();
}

const struct otlp_collector *
otlp_collector(void)
{
	return &collector;
}

const char *
otlp_attributes(void)
{
	return attributes;
}
