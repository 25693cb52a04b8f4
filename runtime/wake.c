#include "wake.h"
#include "redis.h"

#include <string.h>

enum { MAX_TOPICS = 4, RETRY_US = 1000000 };

#define CHANNEL	"souk:wake"

static const char *const topics[] = { "jobs", "events", "sagas", NULL };
static unsigned noted;		/* bit i: topics[i] */
static struct redis_link *ear;
static uint64_t retry_at_us;

_Static_assert(sizeof(topics) / sizeof(topics[0]) <= MAX_TOPICS, "they fit one flight");

void
wake_note(const char *topic)
{
	for (unsigned i = 0; topics[i] != NULL; i++)
		if (strcmp(topics[i], topic) == 0)
			noted |= 1u << i;
}

void
wake_others(struct req *rq)
{
	struct redis_flight f = { 0 };

	for (unsigned i = 0; topics[i] != NULL; i++)
		if ((noted & 1u << i) != 0)
			REDIS_ADD(&f, "PUBLISH", CHANNEL, topics[i]);
	if (noted != 0)
		redis_fly(rq, &f);
	redis_flight_end(&f);
	noted = 0;
}

int
wake_listen(bool *anew)
{
	*anew = false;
	if (ear == NULL && now_us() >= retry_at_us) {
		ear = redis_subscribe(CHANNEL);
		retry_at_us = now_us() + RETRY_US;
		*anew = ear != NULL;
	}
	return ear == NULL ? -1 : redis_link_fd(ear);
}

void
wake_hear(void (*heard)(const char *topic, void *), void *to)
{
	redisReply *r = NULL;
	bool good = redis_link_read(ear);

	while (good && (good = redis_link_next(ear, &r)) && r != NULL) {
		/* "message", the channel, what was published */
		if (r->type == REDIS_REPLY_ARRAY && r->elements == 3 &&
		    r->element[2]->type == REDIS_REPLY_STRING)
			heard(r->element[2]->str, to);
		freeReplyObject(r);
	}
	if (!good)
		wake_stop_listening();
}

void
wake_stop_listening(void)
{
	redis_link_close(ear);
	ear = NULL;
}
