#include "lease.h"

#include <unistd.h>

enum { LEAST_MS = 100 };

const char *
lease_owner(struct req *rq)
{
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	return fmt(rq, "%s:%ld", host, (long)getpid());
}

int64_t
lease_backoff_ms(int64_t attempt, int64_t first_ms, int64_t most_ms)
{
	int64_t most = first_ms;

	for (int64_t i = 0; i < attempt && most < most_ms; i++)
		most *= 2;
	most = most < most_ms ? most : most_ms;
	return LEAST_MS + (int64_t)(now_us() % (uint64_t)most);
}
