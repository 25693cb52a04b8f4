/*
 * mail_message.h -- a message as it travels: RFC 5322 and MIME (RFC 2045, 2047).
 */
#ifndef MAIL_MESSAGE_H
#define MAIL_MESSAGE_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct mail_message {
	const char *from_name, *from;	/* from_name may be empty */
	const char *to;
	const char *subject;
	const char *id;			/* without the angle brackets */
	const char *boundary;		/* letters and digits that no part has a line of */
	time_t date;
	const char *text, *html;	/* UTF-8, lines ending in \n */
};

/*
 * Writes it, with lines ending in \n.  Addresses must be safe ones; anything
 * else may be in the other texts, and stays where it belongs.
 */
void	 mail_message_write(FILE *, const struct mail_message *);

/* Whether it can stand in a header and in an SMTP command as it is. */
bool	 mail_address_is_safe(const char *);

#endif
