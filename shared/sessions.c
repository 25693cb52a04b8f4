#include "sessions.h"

/* As long as any access token can live; the database knows for ever. */
enum { REMEMBER_S = 86400 };

void
session_was_revoked(struct req *rq, const char *session)
{
	if (session != NULL)
		redis_set(rq, fmt(rq, "session:%s", session), "revoked", REMEMBER_S);
}
