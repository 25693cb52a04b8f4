#include "hashing.h"
#include "password.h"

SETTING_INT(cost, "BCRYPT_COST", 12, 4, 16,
    "The cost of password hashes: each step doubles the work");
HISTOGRAM(hash_seconds, "password_hash_duration_seconds", "",
    "Time spent on one bcrypt hash");

const char *
hash_new_password(struct req *rq, const char *password)
{
	char hash[64];
	uint64_t start = now_us();

	if (req_failed(rq))
		return NULL;
	if (!password_hash(password, (int)cost.number, hash)) {
		log_line(LOG_ERROR, "libcrypt cannot hash", NULL);
		fail(rq, ERR_INTERNAL);
		return NULL;
	}
	metric_observe_us(&hash_seconds, now_us() - start);
	return fmt(rq, "%s", hash);
}

bool
hash_matches(struct req *rq, const char *password, const char *hash)
{
	uint64_t start = now_us();
	bool matches;

	if (req_failed(rq))
		return false;
	matches = password_matches(password, hash, (int)cost.number);
	metric_observe_us(&hash_seconds, now_us() - start);
	return matches;
}

bool
hash_is_dated(const char *hash)
{
	return password_cost(hash) != (int)cost.number;
}
