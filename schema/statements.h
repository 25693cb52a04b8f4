/*
 * statements.h -- where the statements of an SQL script begin.
 *
 * The server splits a script by itself; this is only for saying which line an
 * error is about, and for looking at each statement's first word.
 */
#ifndef STATEMENTS_H
#define STATEMENTS_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct statement {
	const char	*text;		/* its first word; after the last, the script's end */
	const char	*rest;		/* where the next one is looked for */
};

static inline bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80) != 0;
}

static inline const char *
after(const char *from, const char *what)
{
	const char *found = strstr(from, what);

	return found == NULL ? from + strlen(from) : found + strlen(what);
}

/* A doubled quote ends one string and begins another: no case of its own. */
static inline const char *
skip_quoted(const char *s, bool backslashes)
{
	char quote = *s++;

	while (*s != '\0' && *s != quote)
		s += backslashes && s[0] == '\\' && s[1] != '\0' ? 2 : 1;
	return *s == '\0' ? s : s + 1;
}

/* $$ ... $$ and $tag$ ... $tag$; a lone $ is an ordinary character. */
static inline const char *
skip_dollars(const char *s)
{
	size_t len = 1 + strcspn(s + 1, "$ \t\r\n;'\"(),");
	char tag[64];

	if (s[len] != '$' || len + 2 > sizeof(tag))
		return s + 1;
	memcpy(tag, s, len + 1);
	tag[len + 1] = '\0';
	return after(s + len + 1, tag);
}

static inline const char *
skip_comment(const char *s)
{
	int depth = 0;

	do {
		if (strncmp(s, "/*", 2) == 0) {
			depth++;
			s += 2;
		} else if (strncmp(s, "*/", 2) == 0) {
			depth--;
			s += 2;
		} else {
			s++;
		}
	} while (*s != '\0' && depth > 0);
	return s;
}

static inline const char *
skip_blank(const char *s)
{
	for (;;) {
		if (isspace((unsigned char)*s))
			s++;
		else if (strncmp(s, "--", 2) == 0)
			s = after(s, "\n");
		else if (strncmp(s, "/*", 2) == 0)
			s = skip_comment(s);
		else
			return s;
	}
}

static inline const char *
skip_token(const char *s)
{
	const char *word = s;

	if (*s == '\'' || *s == '"')
		return skip_quoted(s, false);
	if (*s == '$')
		return skip_dollars(s);
	if (!is_word(*s))
		return s + 1;
	while (is_word(*s))
		s++;
	if (*s == '\'' && s == word + 1 && (*word == 'e' || *word == 'E'))
		return skip_quoted(s, true);
	return s;
}

static inline struct statement
statements(const char *script)
{
	return (struct statement){ .text = script, .rest = script };
}

static inline bool
at_word(const char *s, const char *word)
{
	size_t len = strlen(word);

	return strncasecmp(s, word, len) == 0 && !is_word(s[len]);
}

/*
 * What comes between semicolons that end nothing: the actions of a rule, in
 * parentheses, and the body of a function, from BEGIN ATOMIC to its END.
 */
static inline int
nesting(const char *s, bool *in_body)
{
	if (at_word(s, "begin") && at_word(skip_blank(s + strlen("begin")), "atomic"))
		*in_body = true;
	if (*in_body)
		return (at_word(s, "begin") || at_word(s, "case")) - at_word(s, "end");
	return (*s == '(') - (*s == ')');
}

static inline bool
statement_next(struct statement *st)
{
	const char *s = skip_blank(st->rest);
	bool in_body = false;
	int depth = 0;

	while (*s == ';')
		s = skip_blank(s + 1);
	st->text = s;
	while (*s != '\0' && (*s != ';' || depth > 0)) {
		depth += nesting(s, &in_body);
		s = skip_blank(skip_token(s));
	}
	st->rest = s;
	return *st->text != '\0';
}

static inline int
line_of(const char *script, const char *place)
{
	int line = 1;

	for (; script < place; script++)
		line += *script == '\n';
	return line;
}

/* The server counts characters of UTF-8, from one. */
static inline const char *
character_at(const char *script, long position)
{
	for (; *script != '\0'; script++)
		if ((*script & 0xc0) != 0x80 && --position == 0)
			break;
	return script;
}

#endif
