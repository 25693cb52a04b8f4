/*
 * token.h -- making access and refresh tokens.  Only functions that sign link
 * this; verifying is the runtime's (runtime/auth.c).
 */
#ifndef TOKEN_H
#define TOKEN_H

#include "fn.h"
#include "opaque.h"

enum { REFRESH_TTL_S = 7 * 24 * 3600 };

/* A signed JSON Web Token for the session; NULL after refusing the request. */
const char	*token_access(struct req *, const char *user, const char *email,
		    const char *role, const char *session);
int		 token_access_seconds(void);

/*
 * The refresh token that follows (the first is a token_random()).  It is derived, with a secret, from the one that is
 * spent for it: the successor can be handed out again to a client that lost
 * the answer, though only hashes are stored.
 */
const char	*token_successor(struct req *, const char *token);

/* What sign-in and refresh answer: the tokens, after whatever stands open. */
void		 token_members(struct json *, const char *access, const char *refresh);

#endif
