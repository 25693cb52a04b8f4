/*
 * tally.h -- counts of this process alone, for when Redis is away.
 *
 * A fixed number of them: a new one takes the place of the one with the least
 * count of a few.  Who wants a count forgotten has to run up more elsewhere,
 * and cannot know where.
 */
#ifndef TALLY_H
#define TALLY_H

#include <stdint.h>

struct tally { uint64_t key, ends_us; int64_t count; };

/* The count of a key, which starts again at 0 after so many seconds.  NULL only
 * without memory. */
struct tally	*tally_of(const char *key, int seconds);
int64_t		 tally_wait_ms(const struct tally *);	/* until it starts again */
void		 tally_forget(const char *key);

#endif
