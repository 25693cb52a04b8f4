/*
 * multipart/form-data.
 *
 * The first line is a Content-Type, the rest a body.  Parts lie in the body, in
 * order and apart; written down as a form again they are the same, whatever
 * their bytes; and what a handler is given is within its declaration.
 */
#include "fuzz.h"
#include "multipart.h"

struct input { const struct file *image, *icon; const char *words; int64_t count; };

ENDPOINT(take_files) = {
	.method = HTTP_POST, .path = "/files", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.multipart = true,
	.input = FIELDS(
		BODY(image, FILE, "A picture", .required = true, .max = 64),
		BODY(icon, FILE, "A small one", .min = 3, .max = 10),
		BODY(words, STR, "Words", .min = 1, .max = 5),
		BODY(count, INT, "Count", .min = 1, .max = 100, .preset = 1)),
};

static struct status take_files(struct req *rq) { return reply_json(rq, 200, "{}"); }

static void
put(char **at, const char *bytes, size_t n)
{
	memcpy(*at, bytes, n);
	*at += n;
}

static void
put_quoted(char **at, const char *s)
{
	put(at, "\"", 1);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			put(at, "\\", 1);
		put(at, s, 1);
	}
	put(at, "\"", 1);
}

/* With a boundary that is in none of the parts. */
static char *
write_form(const struct part *parts, size_t count, size_t body_length, size_t *length)
{
	char *form = malloc(body_length * 3 + count * 200 + 100), *at = form;

	MUST(form != NULL);
	for (size_t i = 0; i < count; i++) {
		at = stpcpy(at, "--=_souk_=\r\nContent-Disposition: form-data; name=");
		put_quoted(&at, parts[i].name);
		if (parts[i].file_name != NULL) {
			at = stpcpy(at, "; filename=");
			put_quoted(&at, parts[i].file_name);
		}
		at = stpcpy(at, "\r\n\r\n");
		put(&at, parts[i].bytes, parts[i].length);
		at = stpcpy(at, "\r\n");
	}
	at = stpcpy(at, "--=_souk_=--\r\n");
	*length = (size_t)(at - form);
	return form;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The boundary with its dashes: the first line, but for blanks at its end. */
static struct rest
boundary_of(const char *body, size_t n)
{
	const char *end = memmem(body, n, "\r\n", 2);
	size_t length = (size_t)(end - body);

	while (strchr(" \t", body[length - 1]) != NULL)
		length--;
	return (struct rest){ body, length };
}

/* Another reader would end the part there, and begin one of the client's own. */
static void
holds_no_boundary(const struct part *p, struct rest b)
{
	const char *at = p->bytes, *end = p->bytes + p->length;

	for (; (at = memmem(at, (size_t)(end - at), b.at, b.n)) != NULL; at++)
		MUST(at > p->bytes && (at < p->bytes + 2 || memcmp(at - 2, "\r\n", 2) != 0));
}

static void
check_parts(const struct part *parts, size_t count, const char *body, size_t n)
{
	struct rest boundary = { NULL, 0 };
	const char *before = body;

	MUST(count <= MAX_PARTS);
	if (count > 0)
		boundary = boundary_of(body, n);
	for (size_t i = 0; i < count; i++) {
		MUST(parts[i].bytes >= before && parts[i].length <= n);
		before = parts[i].bytes + parts[i].length;
		MUST(before <= body + n);
		holds_no_boundary(&parts[i], boundary);
		MUST(utf8_is_valid(parts[i].name) && strlen(parts[i].name) <= MAX_PART_NAME);
		MUST(strpbrk(parts[i].name, "\r\n\t") == NULL);
		if (parts[i].file_name != NULL)
			MUST(utf8_is_valid(parts[i].file_name) &&
			    strpbrk(parts[i].file_name, "\r\n\t") == NULL);
	}
}

static void
parts_are_the_same_when_sent_again(const struct part *parts, size_t count, size_t n)
{
	struct part again[MAX_PARTS];
	const char *problem;
	size_t length, count_again;
	char *form;

	for (size_t i = 0; i < count; i++)
		if (memmem(parts[i].bytes, parts[i].length, "=_souk_=", 8) != NULL)
			return;
	form = write_form(parts, count, n, &length);
	MUST(multipart_parse(&it, "multipart/form-data; boundary=\"=_souk_=\"", form, length,
	    again, &count_again, &problem));
	MUST(count_again == count);
	for (size_t i = 0; i < count; i++) {
		MUST(same_text(again[i].name, parts[i].name));
		MUST(same_text(again[i].file_name, parts[i].file_name));
		MUST(again[i].length == parts[i].length);
		MUST(memcmp(again[i].bytes, parts[i].bytes, parts[i].length) == 0);
	}
	free(form);
}

static void
check_file(const struct file *f, size_t least, size_t most)
{
	if (f == NULL)
		return;
	MUST(f->length >= least && f->length <= most && f->name != NULL);
	MUST(f->bytes >= it.in.body && f->bytes + f->length <= it.in.body + it.in.body_length);
}

static void
read_form(const char *type, const char *body, size_t n)
{
	const struct input *in;

	BEGIN(.body = body, .body_length = n);
	it.method = "POST";
	it.content_type = type;
	it.entry = &take_files_entry;
	input_read(&it);
	if (req_failed(&it)) {
		MUST(STATUS_IS(400, 413, 415));
		check_refusal();
		return;
	}
	check_input();
	in = it.input;
	MUST(in->image != NULL);
	check_file(in->image, 1, 64);
	check_file(in->icon, 3, 10);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rest rest = { (const char *)data, n }, line = cut_line(&rest);
	char *type = strndup(line.at, line.n), *body = exactly(rest);
	struct part parts[MAX_PARTS];
	const char *problem = NULL;
	size_t count = 0;

	BEGIN(.body = body, .body_length = rest.n);
	if (multipart_parse(&it, type, body, rest.n, parts, &count, &problem)) {
		MUST(problem == NULL);
		check_parts(parts, count, body, rest.n);
		parts_are_the_same_when_sent_again(parts, count, rest.n);
	} else {
		MUST(problem != NULL);
	}
	read_form(type, body, rest.n);
	free(type);
	free(body);
	return 0;
}

static void set_up(void) { start_up(); }
