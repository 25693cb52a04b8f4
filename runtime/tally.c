#include "tally.h"

#include "fn.h"

#include <stdlib.h>
#include <sys/random.h>

enum { GROUPS = 128, IN_GROUP = 8 };

static struct tally *table;
static uint64_t seed;

/* Never 0, which is nobody's. */
static uint64_t
hash(const char *key)
{
	uint64_t h = UINT64_C(14695981039346656037) ^ seed;

	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * UINT64_C(1099511628211);
	h ^= h >> 32;
	return h == 0 ? 1 : h;
}

static struct tally *
group_of(uint64_t key)
{
	return table + key % GROUPS * IN_GROUP;
}

struct tally *
tally_of(const char *key, int seconds)
{
	struct tally *group, *least;
	uint64_t h, now = now_us();

	if (table == NULL && ((table = calloc(GROUPS * IN_GROUP, sizeof(*table))) == NULL ||
	    getrandom(&seed, sizeof(seed), 0) < 0))
		return NULL;
	h = hash(key);
	group = least = group_of(h);
	for (struct tally *t = group; t < group + IN_GROUP; t++) {
		if (t->ends_us <= now)
			*t = (struct tally){ .key = 0 };
		if (t->key == h)
			return t;
		if (t->count < least->count || (least->key != 0 && t->key == 0))
			least = t;
	}
	*least = (struct tally){ h, now + (uint64_t)seconds * 1000000, 0 };
	return least;
}

int64_t
tally_wait_ms(const struct tally *t)
{
	uint64_t now = now_us();

	return t->ends_us <= now ? 0 : (int64_t)((t->ends_us - now + 999) / 1000);
}

void
tally_forget(const char *key)
{
	uint64_t h = hash(key);

	if (table == NULL)
		return;
	for (struct tally *t = group_of(h); t < group_of(h) + IN_GROUP; t++)
		if (t->key == h)
			*t = (struct tally){ .key = 0 };
}
