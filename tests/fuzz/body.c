/*
 * JSON bodies, and what of one gets to a handler.
 *
 * The bytes are a body.  What is parsed can be written down and parsed again
 * to the same; what a handler is given is within its declaration, and says the
 * same when it is sent once more.
 */
#include "fuzz.h"
#include "json.h"

#include <regex.h>

/* RFC 8259, section 6. */
#define GRAMMAR	"^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?$"

static regex_t number;

struct input {
	const char *words, *bytes, *email, *color, *id, *on, *price, *weight, *tags, *items;
	int64_t count;
};

ENDPOINT(take_body) = {
	.method = HTTP_POST, .path = "/body", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.input = FIELDS(
		BODY(words, STR, "Words", .min = 1, .max = 20),
		BODY(bytes, STR, "Bytes", .bytes = true, .max = 20),
		BODY(email, EMAIL, "Address"),
		BODY(color, CHOICE, "Color", .choices = CHOICES("red", "blue")),
		BODY(id, ID, "Which"),
		BODY(on, BOOL, "Whether"),
		BODY(price, MONEY, "Price"),
		BODY(weight, NUMBER, "Weight"),
		BODY(tags, STRS, "Tags", .min = 1, .max = 3),
		BODY(items, LIST, "Lines", .max = 3, .item = FIELDS(
			ITEM("productId", ID, "Product", .required = true),
			ITEM("quantity", INT, "How many", .required = true, .min = 1, .max = 10000),
			ITEM("note", STR, "A note", .max = 5))),
		BODY(count, INT, "Count", .required = true, .min = -5, .max = 1000000)),
};

static struct status take_body(struct req *rq) { return reply_json(rq, 200, "{}"); }

/* Longer than any text this makes of the body: six for an escape, and commas. */
struct out { char *at, *end; };

static void
put(struct out *o, const char *s)
{
	MUST((size_t)(o->end - o->at) > strlen(s));
	o->at = stpcpy(o->at, s);
}

static void
put_string(struct out *o, const char *s)
{
	char escape[8];

	MUST(utf8_is_valid(s));
	put(o, "\"");
	for (; *s != '\0'; s++) {
		snprintf(escape, sizeof(escape), (unsigned char)*s < ' ' || *s == '"' || *s == '\\'
		    ? "\\u%04x" : "%c", (unsigned char)*s);
		put(o, escape);
	}
	put(o, "\"");
}

static void
put_value(struct out *o, const cJSON *v)
{
	const char *comma = "";
	const cJSON *child;

	if (cJSON_IsString(v)) {
		put_string(o, v->valuestring);
	} else if (cJSON_IsNumber(v)) {
		MUST(regexec(&number, v->valuestring, 0, NULL, 0) == 0);
		put(o, v->valuestring);
	} else if (cJSON_IsObject(v) || cJSON_IsArray(v)) {
		put(o, cJSON_IsObject(v) ? "{" : "[");
		cJSON_ArrayForEach(child, v) {
			put(o, comma);
			comma = ",";
			if (cJSON_IsObject(v)) {
				put_string(o, child->string);
				put(o, ":");
			}
			put_value(o, child);
		}
		put(o, cJSON_IsObject(v) ? "}" : "]");
	} else {
		MUST(cJSON_IsBool(v) || cJSON_IsNull(v));
		put(o, cJSON_IsNull(v) ? "null" : cJSON_IsTrue(v) ? "true" : "false");
	}
}

static char *
write_down(const cJSON *root, size_t n)
{
	size_t room = 7 * n + 64;
	char *text = malloc(room);
	struct out o = { text, text + room };

	MUST(text != NULL);
	put_value(&o, root);
	return text;
}

static void
parses_to_what_it_says(const char *bytes, size_t n)
{
	const char *problem = NULL;
	char *first, *second;
	const cJSON *root;

	BEGIN(.body = "");
	root = body_parse(&it, bytes, n, &problem);
	MUST((root == NULL) == (problem != NULL));
	if (root == NULL) {
		MUST(utf8_is_valid(problem));
		return;
	}
	first = write_down(root, n);
	BEGIN(.body = "");
	root = body_parse(&it, first, strlen(first), &problem);
	MUST(root != NULL);
	second = write_down(root, strlen(first));
	MUST(strcmp(first, second) == 0);
	free(first);
	free(second);
}

static void
read_body(const char *bytes, size_t n)
{
	BEGIN(.body = bytes, .body_length = n);
	it.method = "POST";
	it.content_type = "application/json";
	it.entry = &take_body_entry;
	input_read(&it);
}

/* An amount in minor units has lost its point. */
static void
write_member(struct json *j, const struct field *f)
{
	const void *member = (const char *)it.input + f->offset;
	const char *s = f->type == T_INT ? NULL : *(const char *const *)member;

	if (f->type != T_INT && (s == NULL || f->type == T_LIST || f->type == T_MONEY))
		return;
	json_key(j, f->name);
	if (f->type == T_INT)
		json_int(j, *(const int64_t *)member);
	else if (f->type == T_ID || f->type == T_BOOL || f->type == T_STRS)
		json_raw(j, s);
	else
		json_string(j, s);
}

static char *
canonical(void)
{
	struct json *j = json_new(&it);

	json_open(j, '{');
	for (const struct field *f = it.entry->endpoint->input; f->where != F_END; f++)
		write_member(j, f);
	return strdup(json_text(j));
}

static void
check_list(const char *list)
{
	const char *problem;
	const cJSON *items, *line;

	if (list == NULL)
		return;
	items = body_parse(&it, list, strlen(list), &problem);
	MUST(cJSON_IsArray(items) && cJSON_GetArraySize(items) <= 3);
	cJSON_ArrayForEach(line, items) {
		MUST(cJSON_GetArraySize(line) == 3);
		MUST(is_number(line->child->valuestring, 1, INT64_MAX));
		MUST(is_number(line->child->next->valuestring, 1, 10000));
		if (!cJSON_IsNull(line->child->next->next))
			MUST(count_characters(line->child->next->next->valuestring) <= 5);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *bytes = exactly((struct rest){ (const char *)data, n });
	char *first, *second;

	parses_to_what_it_says(bytes, n);
	read_body(bytes, n);
	if (req_failed(&it)) {
		MUST(STATUS_IS(400));
		check_refusal();
	} else {
		check_input();
		check_list(((const struct input *)it.input)->items);
		first = canonical();
		read_body(first, strlen(first));
		MUST(!req_failed(&it));
		second = canonical();
		MUST(strcmp(first, second) == 0);
		free(first);
		free(second);
	}
	free(bytes);
	return 0;
}

static void
set_up(void)
{
	MUST(regcomp(&number, GRAMMAR, REG_EXTENDED | REG_NOSUB) == 0);
	start_up();
}
