/*
 * The templates are linked into the binary as one text that the Makefile puts
 * together: each file after a line of a form feed and its name.
 */
#include "mail_template.h"

#include <stdlib.h>
#include <string.h>

__asm__(
	".pushsection .rodata\n"
	".local mail_templates_text\n"
	"mail_templates_text:\n"
	".incbin \"mail_templates\"\n"
	".byte 0\n"
	".popsection\n");

extern const char mail_templates_text[] __attribute__((visibility("hidden")));

enum { MAX_TEMPLATE = 256 << 10 };

static bool
is_name(const char *s)
{
	return *s != '\0' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = f == NULL ? NULL : malloc(MAX_TEMPLATE + 1);

	if (text != NULL)
		text[fread(text, 1, MAX_TEMPLATE, f)] = '\0';
	if (f != NULL)
		fclose(f);
	return text;
}

static char *
built_in(const char *file)
{
	const char *at = mail_templates_text;
	size_t n = strlen(file);

	for (; (at = strchr(at, '\f')) != NULL; at++)
		if (strncmp(at + 1, file, n) == 0 && at[1 + n] == '\n') {
			at += n + 2;
			return strndup(at, strcspn(at, "\f"));
		}
	return NULL;
}

char *
mail_template(const char *directory, const char *name, const char *suffix)
{
	char *text = NULL, *file, *path;

	if (!is_name(name) || asprintf(&file, "%s%s", name, suffix) < 0)
		return NULL;
	if (directory != NULL && asprintf(&path, "%s/%s", directory, file) >= 0) {
		text = read_file(path);
		free(path);
	}
	if (text == NULL)
		text = built_in(file);
	free(file);
	return text;
}

char *
mail_template_subject(char *text, const char **subject)
{
	static const char head[] = "Subject: ";
	char *end = strstr(text, "\n\n");

	if (strncmp(text, head, sizeof(head) - 1) != 0 || end == NULL ||
	    end != strchr(text, '\n'))
		return NULL;
	*end = '\0';
	*subject = text + sizeof(head) - 1;
	return end + 2;
}

static void
write_html(FILE *out, const char *s)
{
	for (; *s != '\0'; s++)
		switch (*s) {
		case '&':	fputs("&amp;", out); break;
		case '<':	fputs("&lt;", out); break;
		case '>':	fputs("&gt;", out); break;
		case '"':	fputs("&quot;", out); break;
		case '\'':	fputs("&#39;", out); break;
		default:	fputc(*s, out);
		}
}

static const char *
value_of(const struct mail_value *v, const char *name, size_t n)
{
	for (; v->name != NULL; v++)
		if (strncmp(v->name, name, n) == 0 && v->name[n] == '\0')
			return v->value;
	return NULL;
}

bool
mail_template_fill(FILE *out, const char *text, const struct mail_value *values, bool html,
    const char **unknown)
{
	const char *open, *close, *value;

	for (; (open = strstr(text, "{{")) != NULL; text = close + 2) {
		fwrite(text, 1, (size_t)(open - text), out);
		close = strstr(open, "}}");
		value = close == NULL ? NULL :
		    value_of(values, open + 2, (size_t)(close - open - 2));
		if (value == NULL) {
			*unknown = open;
			return false;
		}
		if (html)
			write_html(out, value);
		else
			fputs(value, out);
	}
	fputs(text, out);
	return true;
}
