#include "tries.h"

LIMIT(failed_here, "failed-here", 900, "RATE_LIMIT_AUTH_FAILED", 5,
    "Failed sign-ins in 15 minutes by one address for one e-mail; 0 is no limit");
LIMIT(failed_anywhere, "failed", 3600, "RATE_LIMIT_ACCOUNT_FAILED", 50,
    "Failed sign-ins in an hour for one e-mail by all addresses that it has not"
    " signed in from lately; 0 is no limit");

bool
tries_allow(struct req *rq, const char *email, bool is_at_home)
{
	return limit_take(rq, &failed_here, limit_here(rq, email),
	    &failed_anywhere, is_at_home ? NULL : email);
}

void
tries_clear(struct req *rq, const char *email)
{
	limit_clear(rq, &failed_here, limit_here(rq, email));
	limit_clear(rq, &failed_anywhere, email);
}
