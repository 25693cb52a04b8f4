/*
 * access.h -- who may call an endpoint.
 */
#ifndef ACCESS_H
#define ACCESS_H

#include "guard.h"

/* Refuses with 401, 403 or 404 unless the caller is admitted. */
void	 access_check(struct req *, const struct guard *);

/*
 * auth.c, linked only where a handler asks who its user is.
 */
/* Fills user, session and role from a bearer token that is genuine. */
void	 auth_read_token(struct req *);
/* Asks the database about a session that Redis does not know. */
bool	 auth_session_is_live(struct req *);

#endif
