#include "access.h"
#include "address.h"

#include <string.h>

SETTING_SECRET_OPTIONAL(service_token, "SERVICE_TOKEN",
    "The bearer token of cron and event callers; without it they are refused");

#pragma weak auth_session_is_live

/* Takes as long wherever the first difference is. */
static bool
same_secret(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned difference = n != m;

	for (size_t i = 0; i < m; i++)
		difference |= (unsigned)(a[n == 0 ? 0 : i % n] ^ b[i]);
	return difference == 0;
}

static bool
is_service(struct req *rq)
{
	const char *given = rq->authorization;

	return service_token.text != NULL && given != NULL &&
	    strncmp(given, "Bearer ", 7) == 0 && same_secret(given + 7, service_token.text);
}

bool
req_is(struct req *rq, enum access access)
{
	switch (access) {
	case ACCESS_PUBLIC:
	case ACCESS_SIGNED:	return true;
	case ACCESS_USER:	return rq->role != NULL;
	case ACCESS_SELLER:	return one_of(rq->role, "seller", "admin");
	case ACCESS_ADMIN:	return one_of(rq->role, "admin");
	case ACCESS_SERVICE:	return rq->trusted || is_service(rq);
	case ACCESS_OPERATOR:	return address_is_operator(rq->address);
	case ACCESS_UNSET:	break;
	}
	return false;
}

static void
forget_user(struct req *rq)
{
	rq->user = rq->session = rq->role = NULL;
}

void
access_check(struct req *rq, const struct guard *g)
{
	enum access access = rq->entry->endpoint->access;

	if (rq->decided)
		return;
	if (rq->session != NULL && !g->session_is_live) {
		if (auth_session_is_live(rq))
			guard_session_is_live(rq);
		else
			forget_user(rq);
	}
	if (rq->decided || req_is(rq, access))
		return;
	if (access == ACCESS_OPERATOR)
		fail(rq, ERR_FORBIDDEN);
	else if (rq->role != NULL)
		fail(rq, ERR_FORBIDDEN);
	else if (rq->authorization != NULL)
		fail_text(rq, ERR_UNAUTHENTICATED, "The token is not valid; sign in again");
	else
		fail(rq, ERR_UNAUTHENTICATED);
}
