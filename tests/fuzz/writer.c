/*
 * What we write: JSON, problem documents and log lines.
 *
 * The bytes tell what to write: a value a line, "[" and "{" and their ends,
 * "#" a number, "?" true or false, anything else a string.  What is written is
 * JSON of just these values; a refusal with any of the texts is whole; so is a
 * log line.
 */
#include "fuzz.h"
#include "json.h"
#include "log.h"

#include <inttypes.h>

enum { DEEPEST = 15 };

struct input { const char *none; };

ENDPOINT(nothing) = {
	.method = HTTP_GET, .path = "/", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
};

static struct status nothing(struct req *rq) { return reply_json(rq, 200, "{}"); }

/* A line as text that is fit to be written: the writers are given UTF-8. */
static const char *
fit(struct rest line)
{
	const char *s = text_of(line);

	return utf8_is_valid(s) ? s : "?";
}

static bool
ends(struct rest line, char bracket)
{
	return line.n > 0 && *line.at == bracket;
}

static struct rest
behind(struct rest line)
{
	return (struct rest){ line.at + 1, line.n - 1 };
}

static void write_all(struct json *, struct rest *, bool object, int depth);

static void
write_value(struct json *j, struct rest line, struct rest *rest, int depth)
{
	char first = line.n == 0 ? '\0' : *line.at;

	if ((first == '[' || first == '{') && depth < DEEPEST) {
		json_open(j, first);
		write_all(j, rest, first == '{', depth + 1);
		json_close(j);
	} else if (first == '#') {
		json_int(j, strtoll(fit(behind(line)), NULL, 10));
	} else if (first == '?') {
		json_bool(j, line.n > 1);
	} else {
		json_string(j, line.n == 0 ? NULL : fit(line));
	}
}

static void
write_all(struct json *j, struct rest *rest, bool object, int depth)
{
	int count = 0;

	while (rest->n > 0) {
		struct rest line = cut_line(rest);

		if (ends(line, ']') || ends(line, '}'))
			return;
		if (object)
			json_key(j, fmt(&it, "%d %s", count++, fit(line)));
		write_value(j, line, rest, depth);
	}
}

static void check_all(const cJSON *, struct rest *, bool object, int depth);

static void
check_written(const cJSON *v, struct rest line, struct rest *rest, int depth)
{
	char first = line.n == 0 ? '\0' : *line.at;

	if ((first == '[' || first == '{') && depth < DEEPEST) {
		MUST(first == '{' ? cJSON_IsObject(v) : cJSON_IsArray(v));
		check_all(v, rest, first == '{', depth + 1);
	} else if (first == '#') {
		MUST(cJSON_IsNumber(v) &&
		    strtoll(v->valuestring, NULL, 10) == strtoll(fit(behind(line)), NULL, 10));
	} else if (first == '?') {
		MUST(line.n > 1 ? cJSON_IsTrue(v) : cJSON_IsFalse(v));
	} else if (line.n == 0) {
		MUST(cJSON_IsNull(v));
	} else {
		MUST(cJSON_IsString(v) && strcmp(v->valuestring, fit(line)) == 0);
	}
}

static void
check_all(const cJSON *parent, struct rest *rest, bool object, int depth)
{
	const cJSON *v = parent->child;
	int count = 0;

	while (rest->n > 0) {
		struct rest line = cut_line(rest);

		if (ends(line, ']') || ends(line, '}'))
			break;
		MUST(v != NULL);
		if (object)
			MUST(strcmp(v->string, fmt(&it, "%d %s", count++, fit(line))) == 0);
		check_written(v, line, rest, depth);
		v = v->next;
	}
	MUST(v == NULL);
}

/* The body's own limits are the parser's, not the writer's. */
static bool
is_within_limits(struct rest rest)
{
	size_t lines = 0;

	for (size_t i = 0; i < rest.n; i++)
		lines += rest.at[i] == '\n';
	return lines < MAX_JSON_MEMBERS;
}

static void
check_document(struct rest rest)
{
	struct rest again = rest;
	struct json *j = json_new(&it);
	const char *text, *problem;
	const cJSON *root;

	json_open(j, '[');
	write_all(j, &rest, false, 1);
	text = json_text(j);
	root = body_parse(&it, text, strlen(text), &problem);
	MUST(cJSON_IsArray(root));
	check_all(root, &again, false, 1);
}

static void
check_texts(struct rest rest)
{
	char *s = strdup(fit(rest)), *first = strdup(fit(cut_line(&rest)));
	static struct log_text t;
	const char *problem;
	const cJSON *line;

	BEGIN(.body = "");
	fail_text(&it, ERR_MALFORMED, "%s (%s)", s, first);
	if (*s != '\0')
		check_refusal();
	BEGIN(.body = "");
	fail_field(&it, first, "format", s);
	fail_field(&it, s, "format", first);
	check_refusal();
	log_begin(&t, LOG_INFO);
	log_put(&t, "first", first);
	log_put_number(&t, "number", (long long)rest.n);
	log_put(&t, "all", s);
	log_put(&t, "again", s);
	t.bytes[t.length++] = '}';
	MUST(t.length + 1 <= sizeof(t.bytes));
	line = body_parse(&it, t.bytes, t.length, &problem);
	MUST(cJSON_IsObject(line));
	MUST(strlen(first) > LOG_VALUE / 6 || strcmp(cJSON_GetObjectItemCaseSensitive(line,
	    "first")->valuestring, first) == 0);
	free(s);
	free(first);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rest rest = { (const char *)data, n };

	if (!is_within_limits(rest))
		return 0;
	BEGIN(.body = "");
	check_document(rest);
	check_texts(rest);
	return 0;
}

static void set_up(void) { start_up(); }
