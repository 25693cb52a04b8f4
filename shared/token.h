/*
 * token.h -- making access and refresh tokens.  Only functions that sign link
 * this; verifying is the runtime's (runtime/auth.c).
 */
#ifndef TOKEN_H
#define TOKEN_H

#include "fn.h"

enum { REFRESH_TTL_S = 7 * 24 * 3600 };

/* A signed JSON Web Token for the session; NULL after refusing the request. */
const char	*token_access(struct req *, const char *user, const char *email,
		    const char *role, const char *session);
int		 token_access_seconds(void);

/* A new refresh token: 32 random bytes in base64url. */
const char	*token_refresh(struct req *);
/*
 * The token that follows.  It is derived, with a secret, from the one that is
 * spent for it: the successor can be handed out again to a client that lost
 * the answer, though only hashes are stored.
 */
const char	*token_successor(struct req *, const char *token);
/* What is stored of a refresh token: SHA-256, as a Postgres bytea literal. */
const char	*token_stored(struct req *, const char *token);

/* What sign-in and refresh answer: the tokens, after whatever stands open. */
void		 token_members(struct json *, const char *access, const char *refresh);

#endif
