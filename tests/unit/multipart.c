/*
 * multipart/form-data: what is let in, what is refused and why, and that the
 * bytes of a part are where the body has them.
 */
#include "multipart.h"

#include "fixture.h"

#define TYPE		"multipart/form-data; boundary=b"
#define PART(name)	"--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_PART(name, file) "--b\r\nContent-Disposition: form-data; name=\"" name	\
			"\"; filename=\"" file "\"\r\nContent-Type: image/png\r\n\r\n"

static struct part parts[MAX_PARTS];
static size_t count;
static const char *problem;
static char *exact;

/* From memory of exactly that length, so that a sanitizer sees one byte more. */
static bool
parse_bytes(const char *type, const char *bytes, size_t n)
{
	bool good;

	free(exact);
	exact = malloc(n == 0 ? 1 : n);
	assert_non_null(exact);
	memcpy(exact, bytes, n);
	BEGIN(.method = "POST", .uri = "/");
	problem = NULL;
	good = multipart_parse(&it, type, exact, n, parts, &count, &problem);
	assert_true(good == (problem == NULL));
	return good;
}

static bool
parse(const char *body)
{
	return parse_bytes(TYPE, body, strlen(body));
}

static void
assert_refused(const char *body, const char *why)
{
	assert_false(parse(body));
	assert_non_null(strstr(problem, why));
}

static void
assert_part(size_t i, const char *name, const char *file_name, const char *bytes)
{
	assert_string_equal(parts[i].name, name);
	if (file_name == NULL)
		assert_null(parts[i].file_name);
	else
		assert_string_equal(parts[i].file_name, file_name);
	assert_int_equal(parts[i].length, strlen(bytes));
	assert_memory_equal(parts[i].bytes, bytes, strlen(bytes));
}

static void
parts_are_found_where_they_are(void **state)
{
	(void)state;
	assert_true(parse(PART("title") "A lamp\r\n" FILE_PART("image", "lamp.png") "PNG\r\n--b--\r\n"));
	assert_int_equal(count, 2);
	assert_part(0, "title", NULL, "A lamp");
	assert_part(1, "image", "lamp.png", "PNG");
	assert_true(parts[1].bytes > exact && parts[1].bytes < exact + 300);
	assert_true(parse("--b--\r\n"));
	assert_int_equal(count, 0);
	assert_true(parse("--b--"));
	assert_true(parse(PART("a") "x\r\n--b \t\r\nContent-Disposition: form-data; name=c"
	    "\r\n\r\ny\r\n--b-- \r\n\r\n"));
	assert_int_equal(count, 2);
	assert_part(1, "c", NULL, "y");
}

static void
bytes_are_any_bytes(void **state)
{
	static const char body[] = FILE_PART("f", "x") "\0\xff\r\n-\r\n--\n--b\r\r\n\r\n--a"
	    "\r\n--b--";
	static const char bytes[] = "\0\xff\r\n-\r\n--\n--b\r\r\n\r\n--a";

	(void)state;
	assert_true(parse_bytes(TYPE, body, sizeof(body) - 1));
	assert_int_equal(count, 1);
	assert_int_equal(parts[0].length, sizeof(bytes) - 1);
	assert_memory_equal(parts[0].bytes, bytes, sizeof(bytes) - 1);
}

static void
a_part_may_be_empty(void **state)
{
	(void)state;
	assert_true(parse(FILE_PART("f", "") "\r\n--b--"));
	assert_part(0, "f", "", "");
	/* Its empty line may be the boundary's. */
	assert_true(parse("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n--b\r\n"
	    "Content-Disposition: form-data; name=c\r\n\r\nx\r\n--b--"));
	assert_int_equal(count, 2);
	assert_part(0, "a", NULL, "");
	assert_part(1, "c", NULL, "x");
}

static void
the_boundary_is_read_as_clients_write_it(void **state)
{
	static const char *const good[] = {
		"multipart/form-data;boundary=b",
		"multipart/form-data ;\tboundary=\"b\"",
		"Multipart/Form-Data; charset=utf-8; BOUNDARY=b;",
		"multipart/form-data; x=\"; boundary=c\"; boundary=b",
	};
	static const struct { const char *type, *why; } bad[] = {
		{ "multipart/form-data", "no boundary" },
		{ "multipart/form-data; charset=utf-8", "no boundary" },
		{ "multipart/form-data; boundary=", "not well formed" },
		{ "multipart/form-data; boundary", "not well formed" },
		{ "multipart/form-data; boundary=\"b", "not well formed" },
		{ "multipart/form-data; boundary=b c", "not well formed" },
		{ "multipart/form-data; boundary=b; boundary=c", "two boundaries" },
		{ "multipart/form-data; boundary=\"\"", "RFC 2046" },
		{ "multipart/form-data; boundary=\"b \"", "RFC 2046" },
		{ "multipart/form-data; boundary=\"b\\\"\"", "RFC 2046" },
		{ "multipart/form-data; boundary=b*", "RFC 2046" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(parse_bytes(good[i], "--b--", 5));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(parse_bytes(bad[i].type, "--b--", 5));
		assert_non_null(strstr(problem, bad[i].why));
	}
	assert_true(parse_bytes("multipart/form-data; boundary=\"a b'()+_,-./:=?z\"",
	    "--a b'()+_,-./:=?z--", 20));
	assert_true(parse_bytes("multipart/form-data; boundary==_?x/y", "--=_?x/y--", 10));
}

static void
a_boundary_has_at_most_70_characters(void **state)
{
	char type[128] = "multipart/form-data; boundary=", body[128] = "--";

	(void)state;
	for (int i = 0; i < MAX_BOUNDARY; i++) {
		strcat(type, "x");
		strcat(body, "x");
	}
	strcat(body, "--");
	assert_true(parse_bytes(type, body, strlen(body)));
	strcat(type, "x");
	assert_false(parse_bytes(type, body, strlen(body)));
	assert_non_null(strstr(problem, "70"));
}

static void
names_are_read_as_clients_write_them(void **state)
{
	(void)state;
	assert_true(parse("--b\r\ncontent-disposition:FORM-DATA;  Name=\"a \\\"b\\\\c\" ;"
	    " FILENAME=\"C:\\dir\\x.png\"\r\nX-More: \xc3\xa9\r\n\r\nz\r\n--b--"));
	assert_part(0, "a \"b\\c", "C:\\dir\\x.png", "z");
	assert_true(parse("--b\r\nContent-Disposition: form-data; name=a; filename=../../etc/passwd;"
	    " filename*=UTF-8''ignored\r\n\r\nz\r\n--b--"));
	assert_part(0, "a", "../../etc/passwd", "z");
	assert_true(parse(PART("\xc3\xa9") "z\r\n--b--"));
	assert_part(0, "\xc3\xa9", NULL, "z");
}

static void
headers_that_make_no_sense_are_refused(void **state)
{
	static const struct { const char *headers, *why; } bad[] = {
		{ "", "no Content-Disposition" },
		{ "Content-Type: text/plain\r\n", "no Content-Disposition" },
		{ "Content-Disposition: form-data\r\n", "no name" },
		{ "Content-Disposition: form-data; filename=x\r\n", "no name" },
		{ "Content-Disposition: attachment; name=a\r\n", "must be form-data" },
		{ "Content-Disposition: form-data; name=a name=b\r\n", "not well formed" },
		{ "Content-Disposition: form-data; name=\"a\r\n", "not well formed" },
		{ "Content-Disposition: form-data; name=\"a\\\"\r\n", "not well formed" },
		{ "Content-Disposition: form-data; =a\r\n", "not well formed" },
		{ "Content-Disposition: form-data, name=a\r\n", "not well formed" },
		{ "Content-Disposition: form-data; name=a; name=b\r\n", "twice" },
		{ "Content-Disposition: form-data; name=a; filename=b; filename=c\r\n", "twice" },
		{ "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data;"
		    " name=b\r\n", "two Content-Dispositions" },
		{ "Content-Disposition: form-data; name=\"\xff\"\r\n", "UTF-8" },
		{ "Content-Disposition: form-data; name=a\r\nno colon\r\n", "header is not well" },
		{ "Content-Disposition : form-data; name=a\r\n", "header is not well" },
		{ ": x\r\n", "header is not well" },
		{ "Content-Disposition: form-data;\r\n name=a\r\n", "no name" },
		{ "Content-Disposition: form-data; name=a\r\n folded: b\r\n", "header is not well" },
		{ "Content-Disposition: form-data; name=\"a\nb\"\r\n", "control character" },
		{ "Content-Disposition: form-data; name=\"a\rb\"\r\n", "control character" },
		{ "Content-Disposition: form-data; name=\"a\x7f\"\r\n", "control character" },
		{ "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n",
		    "transfer encoding" },
	};
	static const char nul[] = "--b\r\nContent-Disposition: form-data; name=\"a\0\"\r\n"
	    "\r\nx\r\n--b--";
	char body[512];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(body, sizeof(body), "--b\r\n%s\r\nx\r\n--b--", bad[i].headers);
		assert_refused(body, bad[i].why);
	}
	assert_true(parse("--b\r\nContent-Disposition: form-data; name=a;\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\nx\r\n--b--"));
	assert_false(parse_bytes(TYPE, nul, sizeof(nul) - 1));
	assert_non_null(strstr(problem, "control character"));
}

static void
a_body_is_all_form(void **state)
{
	(void)state;
	assert_refused("", "does not begin");
	assert_refused("preamble\r\n--b--", "does not begin");
	assert_refused("--c--", "does not begin");
	assert_refused("--b--\r\nepilogue", "follows the last");
	assert_refused("--bb--", "does not end its line");
	assert_refused("--b\n", "does not end its line");
	assert_refused(PART("a") "x\r\n--bc\r\n", "does not end its line");
	assert_refused(PART("a") "x\r\n--b-", "does not end its line");
	assert_refused(PART("a") "x\n--b--", "before its last");
	assert_refused(PART("a") "x\r\n", "before its last");
	assert_refused(PART("a") "x\r\n--b\r\n", "within a part's headers");
	assert_refused("--b\r\nContent-Disposition: form-data; name=a\r\n", "within a part's headers");
}

static void
no_beginning_of_a_form_is_one(void **state)
{
	static const char whole[] = PART("a") "x\r\n" FILE_PART("f", "n") "y\r\n--b--";

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		assert_false(parse_bytes(TYPE, whole, n));
	assert_true(parse(whole));
}

static void
there_is_a_limit_to_everything(void **state)
{
	static char body[8192];
	char name[MAX_PART_NAME + 2];
	char *at = body;

	(void)state;
	for (int i = 0; i < MAX_PARTS; i++)
		at = stpcpy(at, PART("a") "\r\n");
	strcpy(at, "--b--");
	assert_true(parse(body));
	assert_int_equal(count, MAX_PARTS);
	stpcpy(at, PART("a") "\r\n--b--");
	assert_refused(body, "too many parts");

	memset(name, 'n', sizeof(name));
	snprintf(body, sizeof(body), PART("%.*s") "\r\n--b--", MAX_PART_NAME, name);
	assert_true(parse(body));
	snprintf(body, sizeof(body), PART("%.*s") "\r\n--b--", MAX_PART_NAME + 1, name);
	assert_refused(body, "255 bytes");

	at = stpcpy(body, "--b\r\nContent-Disposition: form-data; name=a\r\nX: ");
	memset(at, 'x', MAX_PART_HEADERS);
	strcpy(body + 5 + MAX_PART_HEADERS - 4, "\r\n\r\n\r\n--b--");
	assert_true(parse(body));
	strcpy(body + 5 + MAX_PART_HEADERS - 4, "x\r\n\r\n\r\n--b--");
	assert_refused(body, "headers are too long");
}

static int
tear_down(void **state)
{
	free(exact);
	return finish(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_found_where_they_are),
		cmocka_unit_test(bytes_are_any_bytes),
		cmocka_unit_test(a_part_may_be_empty),
		cmocka_unit_test(the_boundary_is_read_as_clients_write_it),
		cmocka_unit_test(a_boundary_has_at_most_70_characters),
		cmocka_unit_test(names_are_read_as_clients_write_them),
		cmocka_unit_test(headers_that_make_no_sense_are_refused),
		cmocka_unit_test(a_body_is_all_form),
		cmocka_unit_test(no_beginning_of_a_form_is_one),
		cmocka_unit_test(there_is_a_limit_to_everything),
	};

	return cmocka_run_group_tests_name("multipart", tests, NULL, tear_down);
}
