/*
 * mail_transport.h -- hands a message over: to the SMTP server of SMTP_URL, or
 * as a file into MAIL_DIR.
 */
#ifndef MAIL_TRANSPORT_H
#define MAIL_TRANSPORT_H

#include "jobs.h"

/*
 * text has lines ending in \n.  name is what a file is called, without its
 * suffix.  JOB_DEAD: the server refuses this message for good; JOB_AWAY: there
 * is no server to talk to; JOB_RETRY: it wants to be asked later.
 */
struct job_result mail_transport_send(struct req *, const char *from, const char *to,
		    const char *text, size_t n, const char *name);

#endif
