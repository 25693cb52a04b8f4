#include "mail_message.h"

#include <openssl/evp.h>
#include <string.h>

enum {
	LINE = 76,		/* of quoted-printable, and of an encoded header */
	MAX_LINE = 998,		/* of anything: RFC 5322, 2.1.1 */
	WORD = 39		/* bytes in an encoded word, so that "Subject: " fits before it */
};

bool
mail_address_is_safe(const char *s)
{
	const char *at = strchr(s, '@');

	if (at == NULL || at == s || at[1] == '\0' || strchr(at + 1, '@') != NULL ||
	    strlen(s) > 254)
		return false;
	for (const char *c = s; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"(),:;<>[\\]", *c) != NULL)
			return false;
	return *s != '-';	/* some mailers take it for an option */
}

/* Short, and nothing in it that any reader of a header takes for syntax. */
static bool
is_plain(const char *s)
{
	size_t n = strlen(s);

	if (n > WORD || (n > 0 && (s[0] == ' ' || s[n - 1] == ' ')))
		return false;
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~' || strchr("\"(),.:;<>@[\\]=?_", *s) != NULL)
			return false;
	return true;
}

/* What of n bytes goes into one word: whole characters (RFC 2047, 5). */
static size_t
word_length(const char *s, size_t n)
{
	size_t length = n < WORD ? n : WORD;

	while (length < n && length > 1 && ((unsigned char)s[length] & 0xc0) == 0x80)
		length--;
	return length;
}

/* As it is or in encoded words; a control character is a space. */
static void
write_words(FILE *out, const char *s)
{
	unsigned char word[WORD], encoded[(WORD + 2) / 3 * 4 + 1];
	size_t n = strlen(s), length;

	if (is_plain(s)) {
		fputs(s, out);
		return;
	}
	for (; n > 0; s += length, n -= length) {
		length = word_length(s, n);
		for (size_t i = 0; i < length; i++)
			word[i] = (unsigned char)s[i] < ' ' || s[i] == 0x7f ? ' '
			    : (unsigned char)s[i];
		EVP_EncodeBlock(encoded, word, (int)length);
		fprintf(out, "=?UTF-8?B?%s?=%s", (const char *)encoded,
		    length < n ? "\n " : "");
	}
}

static void
write_date(FILE *out, time_t t)
{
	char date[64];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	fprintf(out, "Date: %s\n", date);
}

/* Whether it can go as it is: people who read the raw message are glad. */
static bool
is_seven_bit(const char *s)
{
	size_t column = 0;

	for (; *s != '\0'; s++) {
		if (*s == '\n')
			column = 0;
		else if ((*s < ' ' && *s != '\t') || *s > '~' || ++column > MAX_LINE)
			return false;
	}
	return true;
}

/* RFC 2045, 6.7. */
static void
write_quoted_printable(FILE *out, const char *s)
{
	size_t column = 0;

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		bool last = s[1] == '\n' || s[1] == '\0';
		bool literal = (c > ' ' && c <= '~' && c != '=') ||
		    ((c == ' ' || c == '\t') && !last);
		size_t width = literal ? 1 : 3;

		if (c == '\n') {
			fputc('\n', out);
			column = 0;
			continue;
		}
		/* The last column is for the "=" of a soft break. */
		if (column + width > LINE - 1) {
			fputs("=\n", out);
			column = 0;
		}
		fprintf(out, literal ? "%c" : "=%02X", c);
		column += width;
	}
}

static void
write_part(FILE *out, const char *boundary, const char *type, const char *text)
{
	size_t n = strlen(text);

	fprintf(out, "--%s\nContent-Type: %s; charset=utf-8\n", boundary, type);
	if (is_seven_bit(text)) {
		fputs("Content-Transfer-Encoding: 7bit\n\n", out);
		fputs(text, out);
	} else {
		fputs("Content-Transfer-Encoding: quoted-printable\n\n", out);
		write_quoted_printable(out, text);
	}
	fputs(n > 0 && text[n - 1] == '\n' ? "\n" : "\n\n", out);
}

void
mail_message_write(FILE *out, const struct mail_message *m)
{
	fputs("From: ", out);
	write_words(out, m->from_name);
	fprintf(out, "%s<%s>\nTo: %s\nSubject: ", *m->from_name == '\0' ? "" : " ",
	    m->from, m->to);
	write_words(out, m->subject);
	fputc('\n', out);
	write_date(out, m->date);
	fprintf(out, "Message-ID: <%s>\nMIME-Version: 1.0\nAuto-Submitted: auto-generated\n"
	    "Content-Type: multipart/alternative; boundary=\"%s\"\n\n", m->id, m->boundary);
	write_part(out, m->boundary, "text/plain", m->text);
	write_part(out, m->boundary, "text/html", m->html);
	fprintf(out, "--%s--\n", m->boundary);
}
