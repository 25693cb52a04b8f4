/*
 * Templates: every placeholder is filled or refused, and what fills it stays
 * text.
 */
#include "mail_template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEMPLATES	"shared/mail"

static const struct mail_value values[] = {
	{ "name", "Ada" }, { "markup", "<a href=\"x\">'&amp;'</a>" }, { "empty", "" },
	{ "braces", "{{name}}" }, { "name_2", "Byron" }, { NULL, NULL }
};

static char *filled_text;

static const char *
fill(const char *text, bool html)
{
	const char *unknown = NULL;
	size_t n;
	FILE *out;
	bool good;

	free(filled_text);
	filled_text = NULL;
	out = open_memstream(&filled_text, &n);
	good = mail_template_fill(out, text, values, html, &unknown);
	fclose(out);
	assert_true(good == (unknown == NULL));
	return good ? filled_text : NULL;
}

static void
placeholders_are_filled(void **state)
{
	(void)state;
	assert_string_equal(fill("Dear {{name}}, {{name_2}}{{empty}}!", false), "Dear Ada, Byron!");
	assert_string_equal(fill("nothing", true), "nothing");
	assert_string_equal(fill("", false), "");
	assert_string_equal(fill("{{name}}{{name}}", false), "AdaAda");
	assert_string_equal(fill("one { and } stay, {name} too", false), "one { and } stay, {name} too");
}

static void
values_are_not_templates(void **state)
{
	(void)state;
	assert_string_equal(fill("{{braces}}", false), "{{name}}");
	assert_string_equal(fill("{{braces}}", true), "{{name}}");
}

static void
values_are_text_in_html(void **state)
{
	(void)state;
	assert_string_equal(fill("<p title='{{markup}}'>", true),
	    "<p title='&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;&lt;/a&gt;'>");
	assert_string_equal(fill("{{markup}}", false), "<a href=\"x\">'&amp;'</a>");
}

static void
unknown_placeholders_are_refused(void **state)
{
	static const char *const bad[] = { "{{nobody}}", "{{nam}}", "{{names}}", "{{}}", "{{ name }}", "{{name",
	    "{{name}", "{{", "{{NAME}}", "{{name}} {{x}}", "{{{name}}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_null(fill(bad[i], false));
}

static const char *
split(const char *text, const char **subject)
{
	static char copy[256];

	return mail_template_subject(strcpy(copy, text), subject);
}

static void
the_subject_is_the_first_line(void **state)
{
	const char *subject = NULL;

	(void)state;
	assert_string_equal(split("Subject: A b\n\nBody\n\nmore\n", &subject), "Body\n\nmore\n");
	assert_string_equal(subject, "A b");
	assert_string_equal(split("Subject: x\n\n", &subject), "");
	assert_null(split("Body\n", &subject));
	assert_null(split("subject: x\n\nBody", &subject));
	assert_null(split("Subject: x\nBcc: y\n\nBody", &subject));
	assert_null(split("Subject: x", &subject));
	assert_null(split("", &subject));
}

static void
same_as_file(const char *name)
{
	char path[300], text[65536], *suffix, *got;
	FILE *f;

	snprintf(path, sizeof(path), TEMPLATES "/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	snprintf(path, sizeof(path), "%s", name);
	suffix = strchr(path, '.');
	*suffix = '\0';
	got = mail_template(NULL, path, strchr(name, '.'));
	assert_non_null(got);
	assert_string_equal(got, text);
	free(got);
}

static void
every_file_is_built_in(void **state)
{
	DIR *d = opendir(TEMPLATES);
	int files = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL; )
		if (e->d_name[0] != '.') {
			same_as_file(e->d_name);
			files++;
		}
	closedir(d);
	assert_true(files >= 6 && files % 2 == 0);
}

static void
nothing_else_is_there(void **state)
{
	static const char *const names[] = { "nobody", "", "verify", "verify_emai", "verify_email.", "../mail/verify_email",
	    "/etc/passwd", "verify_email\n", "\f", "VERIFY_EMAIL", "." };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_null(mail_template(NULL, names[i], ".txt"));
		assert_null(mail_template(TEMPLATES, names[i], ".txt"));
	}
}

static void
a_directory_takes_its_place(void **state)
{
	char dir[] = "/tmp/templates.XXXXXX", path[64], *got;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/verify_email.txt", dir);
	f = fopen(path, "w");
	fputs("Subject: ours\n\nx\n", f);
	fclose(f);
	got = mail_template(dir, "verify_email", ".txt");
	assert_string_equal(got, "Subject: ours\n\nx\n");
	free(got);
	/* What it has not, is built in. */
	got = mail_template(dir, "verify_email", ".html");
	assert_int_equal(strncmp(got, "<!DOCTYPE html>", 15), 0);
	free(got);
	unlink(path);
	rmdir(dir);
}

static int
finish(void **state)
{
	(void)state;
	free(filled_text);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placeholders_are_filled),
		cmocka_unit_test(values_are_not_templates),
		cmocka_unit_test(values_are_text_in_html),
		cmocka_unit_test(unknown_placeholders_are_refused),
		cmocka_unit_test(the_subject_is_the_first_line),
		cmocka_unit_test(every_file_is_built_in),
		cmocka_unit_test(nothing_else_is_there),
		cmocka_unit_test(a_directory_takes_its_place),
	};

	return cmocka_run_group_tests_name("mail_template", tests, NULL, finish);
}
