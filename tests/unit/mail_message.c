/*
 * Messages: what is put into a header or a part comes out of any mail reader
 * as it was, and never becomes a header, a recipient or a part of its own.
 */
#include "mail_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static char *written;
static size_t length;

static int
tear_down(void **state)
{
	(void)state;
	free(written);
	written = NULL;
	return 0;
}

static const char *
message(struct mail_message m)
{
	FILE *out;

	free(written);
	written = NULL;
	out = open_memstream(&written, &length);
	m.from_name = m.from_name == NULL ? "Souk" : m.from_name;
	m.from = "no-reply@souk.example";
	m.to = "ada@example.com";
	m.subject = m.subject == NULL ? "Hello" : m.subject;
	m.id = "job-1.2@souk.example";
	m.boundary = "BOUNDARY";
	m.date = m.date == 0 ? 1795691200 : m.date;
	m.text = m.text == NULL ? "text\n" : m.text;
	m.html = m.html == NULL ? "<p>html</p>\n" : m.html;
	mail_message_write(out, &m);
	fclose(out);
	return written;
}

#define MESSAGE(...)	message((struct mail_message){ __VA_ARGS__ })

static void
a_whole_message(void **state)
{
	(void)state;
	assert_string_equal(MESSAGE(.text = "Hello,\n\ncode\n"),
	    "From: Souk <no-reply@souk.example>\n"
	    "To: ada@example.com\n"
	    "Subject: Hello\n"
	    "Date: Thu, 26 Nov 2026 11:06:40 +0000\n"
	    "Message-ID: <job-1.2@souk.example>\n"
	    "MIME-Version: 1.0\n"
	    "Auto-Submitted: auto-generated\n"
	    "Content-Type: multipart/alternative; boundary=\"BOUNDARY\"\n"
	    "\n"
	    "--BOUNDARY\n"
	    "Content-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 7bit\n"
	    "\n"
	    "Hello,\n\ncode\n\n"
	    "--BOUNDARY\n"
	    "Content-Type: text/html; charset=utf-8\n"
	    "Content-Transfer-Encoding: 7bit\n"
	    "\n"
	    "<p>html</p>\n\n"
	    "--BOUNDARY--\n");
}

static void
single_digit_days_have_two(void **state)
{
	(void)state;
	assert_non_null(strstr(MESSAGE(.date = 951782400), "\nDate: Tue, 29 Feb 2000 00:00:00 +0000\n"));
	assert_non_null(strstr(MESSAGE(.date = 1), "\nDate: Thu, 01 Jan 1970 00:00:01 +0000\n"));
}

/* The text of a header, folded as it is, without its name. */
static const char *
header(const char *name)
{
	static char text[4096];
	const char *at = strstr(written, name), *end;

	assert_non_null(at);
	end = at + 1;
	while ((end = strchr(end, '\n'))[1] == ' ')
		end++;
	snprintf(text, sizeof(text), "%.*s", (int)(end - at - (int)strlen(name)),
	    at + strlen(name));
	return text;
}

static const char *
subject(const char *s)
{
	MESSAGE(.subject = s);
	return header("\nSubject: ");
}

static void
plain_subjects_stay(void **state)
{
	(void)state;
	assert_string_equal(subject("Your password was changed"), "Your password was changed");
	assert_string_equal(subject(""), "");
	assert_string_equal(subject("100% off! (no)"), "=?UTF-8?B?MTAwJSBvZmYhIChubyk=?=");
}

static void
others_are_encoded_words(void **state)
{
	(void)state;
	assert_string_equal(subject("Żółć"), "=?UTF-8?B?xbvDs8WCxIc=?=");
	/* What looks like an encoded word is not read as one. */
	assert_string_equal(subject("=?UTF-8?B?eA==?="), "=?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=");
	assert_string_equal(subject(" x"), "=?UTF-8?B?IHg=?=");
}

/* RFC 2047, 2 and 5: at most 75 a word, 76 a line, whole characters. */
static void
long_subjects_are_folded_between_characters(void **state)
{
	static const char *const characters[] = { "a", "ż", "€", "🐪" };
	char text[2048];

	(void)state;
	for (size_t c = 0; c < 4; c++)
		for (size_t shift = 0; shift < 4; shift++) {
			const char *at;

			snprintf(text, sizeof(text), "%.*s", (int)shift, "xyz");
			while (strlen(text) < 300)
				strcat(text, characters[c]);
			at = subject(text);
			for (const char *word = at; (word = strstr(word, "=?UTF-8?B?")) != NULL; ) {
				size_t n = strcspn(word, "\n");

				assert_in_range(n, 12, 75);
				word += n;
			}
			for (const char *line = written; *line != '\0'; line += strcspn(line, "\n") + 1)
				assert_in_range(strcspn(line, "\n"), 0, 78);
			assert_true(strstr(at, "?=\n =?UTF-8?B?") != NULL);
		}
	/* 38 and 2 bytes would split the 20th character: 38 and then 2. */
	assert_string_equal(subject("żżżżżżżżżżżżżżżżżżżż"),
	    "=?UTF-8?B?xbzFvMW8xbzFvMW8xbzFvMW8xbzFvMW8xbzFvMW8xbzFvMW8xbw=?=\n"
	    " =?UTF-8?B?xbw=?=");
}

static void
no_header_can_be_smuggled_in(void **state)
{
	static const char *const attempts[] = {
		"x\r\nBcc: eve@example.com", "x\nBcc: eve@example.com", "x\rBcc: eve@example.com",
		"x\n\n<p>body", "x\r\n .\r\n", "\nBcc: eve@example.com", "x\n--BOUNDARY\n", "x\vBcc: y", "x\x7f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
		int lines = 0;

		for (int name = 0; name < 2; name++) {
			if (name)
				MESSAGE(.from_name = attempts[i]);
			else
				MESSAGE(.subject = attempts[i]);
			assert_null(strstr(written, "\nBcc"));
			assert_null(strchr(written, '\r'));
			assert_int_equal(strstr(written, "\n\n") - written,
			    strstr(written, "\"BOUNDARY\"\n") + 10 - written);
			lines = 0;
			for (const char *c = written; strncmp(c, "\n\n", 2) != 0; c++)
				lines += *c == '\n';
			assert_int_equal(lines, 7);
		}
	}
	/* A control character is a space there. */
	assert_string_equal(subject("a\r\nb"), "=?UTF-8?B?YSAgYg==?=");
}

static void
names_are_no_syntax(void **state)
{
	(void)state;
	MESSAGE(.from_name = "");
	assert_int_equal(strncmp(written, "From: <no-reply@souk.example>\n", 30), 0);
	MESSAGE(.from_name = "Souk, \"The\" <Market>");
	assert_int_equal(strncmp(written, "From: =?UTF-8?B?", 16), 0);
	assert_non_null(strstr(written, "?= <no-reply@souk.example>\n"));
}

/* The text part as it was written. */
static const char *
text_part(const char *text)
{
	static char part[32768];
	const char *at, *end;

	MESSAGE(.text = text);
	at = strstr(written, "Content-Transfer-Encoding: ");
	end = strstr(at, "\n--BOUNDARY\n");
	snprintf(part, sizeof(part), "%.*s", (int)(end - at - 27), at + 27);
	return part;
}

static void
ascii_goes_as_it_is(void **state)
{
	char longest[1100];

	(void)state;
	assert_string_equal(text_part("a = b\n\ttab  \n.\nFrom x\n"), "7bit\n\na = b\n\ttab  \n.\nFrom x\n");
	assert_string_equal(text_part("no end"), "7bit\n\nno end\n");
	assert_string_equal(text_part(""), "7bit\n\n\n");
	memset(longest, 'x', 999);
	strcpy(longest + 998, "\n");
	assert_int_equal(strncmp(text_part(longest), "7bit", 4), 0);
	strcpy(longest + 998, "x\n");
	assert_int_equal(strncmp(text_part(longest), "quoted-printable", 16), 0);
}

static void
other_text_is_quoted_printable(void **state)
{
	(void)state;
	assert_string_equal(text_part("Żółć = 1\n"), "quoted-printable\n\n=C5=BB=C3=B3=C5=82=C4=87 =3D 1\n");
	/* Spaces at the end of a line would be lost on the way. */
	assert_string_equal(text_part("ż \nż\t\n \nż "),
	    "quoted-printable\n\n=C5=BC=20\n=C5=BC=09\n=20\n=C5=BC=20\n");
	assert_string_equal(text_part("a\rb\n"), "quoted-printable\n\na=0Db\n");
	assert_string_equal(text_part("\x01\x7f\n"), "quoted-printable\n\n=01=7F\n");
}

static void
quoted_lines_are_at_most_76(void **state)
{
	char text[1024];

	(void)state;
	for (size_t shift = 0; shift < 80; shift++) {
		const char *part;

		memset(text, 'x', shift);
		text[shift] = '\0';
		for (int i = 0; i < 100; i++)
			strcat(text, i % 7 == 0 ? "żab" : "y z");
		part = text_part(text);
		part = strstr(part, "\n\n") + 2;
		for (; *part != '\0'; part += strcspn(part, "\n") + 1) {
			size_t n = strcspn(part, "\n");

			assert_in_range(n, 0, 76);
			/* No escape is cut in two. */
			if (n > 2 && part[n - 1] == '=')
				assert_true(part[n - 2] != '=' && (part[n - 3] != '='));
		}
	}
}

static void
a_code_on_its_line_stays_whole(void **state)
{
	static const char code[] = "sb9HZnxs1kFuq31nIpHOnIS0aJw9R_c-J4rXVO9eHHs";
	char text[200];

	(void)state;
	snprintf(text, sizeof(text), "Żółć:\n\n%s\n\nSouk\n", code);
	text_part(text);
	snprintf(text, sizeof(text), "\n%s\n", code);
	assert_non_null(strstr(written, text));
}

static void
addresses_that_are_safe(void **state)
{
	static const char *const safe[] = { "a@b.c", "first.last+tag@example.com", "o'hara@x-y.example",
	    "a!#$%&*/=?^_`{|}~@b.c" };
	static const char *const unsafe[] = { "", "a", "@b.c", "a@", "a@b@c", "a b@c.d", "a@b.c\r\nBcc: e@f.g",
	    "a@b.c\n", "a\t@b.c", "<a@b.c>", "a@b.c>", "a@b.c,d@e.f", "a@b.c;d@e.f", "\"a\"@b.c", "a(x)@b.c",
	    "a@[127.0.0.1]", "a\\@b.c", "ż@b.c", "a@ż.c", "-oQ/tmp@b.c", "a:b@c.d" };
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(safe) / sizeof(*safe); i++)
		assert_true(mail_address_is_safe(safe[i]));
	for (size_t i = 0; i < sizeof(unsafe) / sizeof(*unsafe); i++)
		assert_false(mail_address_is_safe(unsafe[i]));
	memset(longest, 'x', sizeof(longest));
	longest[1] = '@';
	longest[254] = '\0';
	assert_true(mail_address_is_safe(longest));
	longest[254] = 'x';
	longest[255] = '\0';
	assert_false(mail_address_is_safe(longest));
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_teardown(f, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_whole_message),
		TEST(single_digit_days_have_two),
		TEST(plain_subjects_stay),
		TEST(others_are_encoded_words),
		TEST(long_subjects_are_folded_between_characters),
		TEST(no_header_can_be_smuggled_in),
		TEST(names_are_no_syntax),
		TEST(ascii_goes_as_it_is),
		TEST(other_text_is_quoted_printable),
		TEST(quoted_lines_are_at_most_76),
		TEST(a_code_on_its_line_stays_whole),
		TEST(addresses_that_are_safe),
	};

	return cmocka_run_group_tests_name("mail_message", tests, NULL, NULL);
}
