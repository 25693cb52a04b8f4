/*
 * mail_template.h -- the files of shared/mail, filled in.
 *
 *   Subject: Your order {{number}}        the first line of a .txt
 *   (an empty line)
 *   Thank you, ...
 */
#ifndef MAIL_TEMPLATE_H
#define MAIL_TEMPLATE_H

#include <stdbool.h>
#include <stdio.h>

struct mail_value { const char *name, *value; };

/* The text of a template file, which the caller frees: from the directory when
 * it has one of that name, else as built in.  NULL: there is none. */
char	*mail_template(const char *directory, const char *name, const char *suffix);

/* Splits a .txt at its subject, in place: the body, or NULL where there is no
 * subject. */
char	*mail_template_subject(char *text, const char **subject);

/*
 * Writes the text with each {{name}} replaced, escaped where it is HTML.
 * False with *unknown set to a placeholder that has no value, or is broken;
 * values end with a NULL name.
 */
bool	 mail_template_fill(FILE *, const char *text, const struct mail_value *, bool html,
	    const char **unknown);

#endif
