/*
 * sessions.h -- telling every function that a session has ended.
 */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "fn.h"

/* After the database has revoked it: its access tokens are refused from the
 * next request on. */
void	 session_was_revoked(struct req *, const char *session);

#endif
