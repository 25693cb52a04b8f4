/*
 * mail.h -- mails that functions have asked for with ops.job_add('mail', ...).
 *
 * A new mail is two files, shared/mail/<name>.txt and .html, and a function
 * mail.<name>(jsonb) that says to whom and with what values
 * (schema/006_jobs.sql).  Nothing here knows their names.
 */
#ifndef MAIL_H
#define MAIL_H

#include "jobs.h"

/* Makes the message and sends it.  A token in it is made now, and only its
 * hash is stored. */
struct job_result mail_job(struct req *, const struct job *);
/* Ends the conversation with the mail server that mail_job() keeps. */
void		 mail_hang_up(void);

#endif
