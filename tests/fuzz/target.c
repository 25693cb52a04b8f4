/*
 * Request targets: path, route and query, and forms, which are spelled alike.
 *
 * The first line is a target, the rest a form.  What is decoded can be encoded
 * and decoded again to the same, no path climbs, and what a handler is given
 * is within its declaration and says the same when it is sent once more.
 */
#include "fuzz.h"

struct input {
	const char *id, *slug, *words, *on, *price, *color, *ref, *weight, *email;
	int64_t count;
};

#define QUERY_FIELDS							\
	PARAM(words, STR, "Words", .min = 1, .max = 20),		\
	PARAM(count, INT, "Page", .min = 1, .max = 1000000, .preset = 20), \
	PARAM(on, BOOL, "Whether"),					\
	PARAM(price, MONEY, "At least"),				\
	PARAM(color, CHOICE, "Color", .choices = CHOICES("red", "blue")), \
	PARAM(ref, ID, "Another")

ENDPOINT(list_things) = {
	.method = HTTP_GET, .path = "/things", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.input = FIELDS(QUERY_FIELDS),
};

ENDPOINT(get_thing) = {
	.method = HTTP_GET, .path = "/things/{id}", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.input = FIELDS(PATH(id, ID, "Which"), QUERY_FIELDS),
};

ENDPOINT(newest_thing) = {
	.method = HTTP_GET, .path = "/things/newest", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.input = FIELDS(QUERY_FIELDS),
};

ENDPOINT(get_part) = {
	.method = HTTP_GET, .path = "/things/{id}/parts/{slug}", .access = ACCESS_PUBLIC,
	.rate = RATE_NONE,
	.input = FIELDS(PATH(id, ID, "Which"), PATH(slug, STR, "Its words", .min = 2, .max = 9)),
};

ENDPOINT(send_form) = {
	.method = HTTP_POST, .path = "/form", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.form = true,
	.input = FIELDS(
		BODY(words, STR, "Words", .min = 1, .max = 20),
		BODY(email, EMAIL, "Address"),
		BODY(weight, NUMBER, "Weight"),
		BODY(count, INT, "Count", .min = 1, .max = 1000000, .preset = 20)),
};

static struct status list_things(struct req *rq) { return reply_json(rq, 200, "{}"); }
static struct status get_thing(struct req *rq) { return reply_json(rq, 200, "{}"); }
static struct status newest_thing(struct req *rq) { return reply_json(rq, 200, "{}"); }
static struct status get_part(struct req *rq) { return reply_json(rq, 200, "{}"); }
static struct status send_form(struct req *rq) { return reply_json(rq, 200, "{}"); }

static const char *
encoded(const char *s)
{
	char *out = mem(&it, 3 * strlen(s) + 1), *at = out;

	for (; *s != '\0'; s++)
		at += sprintf(at, "%%%02X", (unsigned char)*s);
	return out;
}

static void
path_is_the_same_when_sent_again(void)
{
	const char *path = "";
	char *again, *segments[MAX_SEGMENTS];
	size_t n = it.segment_count;

	MUST(n <= MAX_SEGMENTS);
	for (size_t i = 0; i < n; i++) {
		MUST(*it.segments[i] != '\0' && !one_of(it.segments[i], ".", ".."));
		path = fmt(&it, "%s/%s", path, encoded(it.segments[i]));
		segments[i] = strdup(it.segments[i]);
	}
	again = strdup(n == 0 ? "/" : path);
	BEGIN(.body = "");
	it.method = "GET";
	it.uri = again;
	MUST(request_parse_target(&it) && it.segment_count == n);
	for (size_t i = 0; i < n; i++) {
		MUST(strcmp(it.segments[i], segments[i]) == 0);
		free(segments[i]);
	}
	free(again);
}

static bool
read_target(const char *method, const char *target, const char *form, size_t n)
{
	const char *allow;

	BEGIN(.body = form, .body_length = n);
	it.method = method;
	it.uri = target;
	it.content_type = "application/x-www-form-urlencoded";
	if (!request_parse_target(&it))
		return false;
	it.entry = request_route(&it, &allow);
	MUST(it.entry == NULL || allow == NULL || *allow != '\0');
	if (it.entry == NULL)
		return false;
	input_read(&it);
	MUST(utf8_is_valid(it.cache_text));
	return true;
}

/* All but the path, as pairs; an amount in minor units has lost its point. */
static char *
pairs(void)
{
	const char *text = "";

	for (const struct field *f = it.entry->endpoint->input; f->where != F_END; f++) {
		const void *member = (const char *)it.input + f->offset;

		if (f->where == F_PATH || f->type == T_MONEY)
			continue;
		if (f->type == T_INT)
			text = fmt(&it, "%s&%s=%lld", text, f->name,
			    (long long)*(const int64_t *)member);
		else if (*(const char *const *)member != NULL)
			text = fmt(&it, "%s&%s=%s", text, f->name,
			    encoded(*(const char *const *)member));
	}
	return strdup(text);
}

static char *
target_again(const char *query)
{
	const char *path = "";

	for (size_t i = 0; i < it.segment_count; i++)
		path = fmt(&it, "%s/%s", path, encoded(it.segments[i]));
	return strdup(fmt(&it, "%s?%s", path, query));
}

static void
says_the_same_when_sent_again(const char *method, bool form)
{
	char *first = pairs(), *target = target_again(form ? "" : first), *second;

	MUST(read_target(method, target, form ? first : "", form ? strlen(first) : 0));
	MUST(!req_failed(&it));
	second = pairs();
	MUST(strcmp(first, second) == 0);
	free(first);
	free(second);
	free(target);
}

static void
try(const char *method, const char *target, const char *form, size_t n)
{
	if (!read_target(method, target, form, n))
		return;
	if (req_failed(&it)) {
		MUST(STATUS_IS(400, 404));
		check_refusal();
		return;
	}
	check_input();
	says_the_same_when_sent_again(method, it.entry == &send_form_entry);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rest rest = { (const char *)data, n }, line = cut_line(&rest);
	char *target = strndup(line.at, line.n), *form = exactly(rest);

	BEGIN(.body = "");
	it.method = "GET";
	it.uri = target;
	if (request_parse_target(&it))
		path_is_the_same_when_sent_again();
	try("GET", target, "", 0);
	try("HEAD", target, "", 0);
	try("POST", target, form, rest.n);
	try("POST", "/form", form, rest.n);
	free(target);
	free(form);
	return 0;
}

static void set_up(void) { start_up(); }
