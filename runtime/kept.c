#include "kept.h"
#include "represent.h"

#include <stdlib.h>
#include <string.h>

#pragma weak gzip

enum { SLOTS = 32, LARGEST = 32 << 10 };	/* so at most 1 MiB a worker */

static struct kept slots[SLOTS];

static struct kept *
slot_of(const struct req *rq)
{
	uint32_t hash = 2166136261u;

	for (const char *c = rq->cache_text; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return &slots[hash % SLOTS];
}

const struct kept *
kept_find(struct req *rq)
{
	const struct kept *k = slot_of(rq);

	return k->entry == rq->entry && now_us() < k->expires_us &&
	    strcmp(k->inputs, rq->cache_text) == 0 ? k : NULL;
}

void
kept_add(struct req *rq, const char *tag, const char *etag, const char *body, size_t length)
{
	struct kept *k = slot_of(rq);
	struct kept fresh = { .entry = rq->entry, .length = length, .expires_us = now_us() +
	    (uint64_t)rq->entry->endpoint->cache.seconds * 1000000 };

	if (length > LARGEST)
		return;
	fresh.inputs = strdup(rq->cache_text);
	fresh.tag = strdup(tag);
	fresh.etag = strdup(etag);
	fresh.body = malloc(length + 1);
	free(k->inputs);
	free(k->tag);
	free(k->etag);
	free(k->body);
	free(k->zipped);
	if (fresh.inputs == NULL || fresh.tag == NULL || fresh.etag == NULL || fresh.body == NULL) {
		free(fresh.inputs);
		free(fresh.tag);
		free(fresh.etag);
		free(fresh.body);
		*k = (struct kept){ .entry = NULL };
		return;
	}
	memcpy(fresh.body, body, length);
	*k = fresh;
}

const char *
kept_gzip(struct req *rq, const char *etag, size_t *length)
{
	struct kept *k = slot_of(rq);
	const char *made;

	if (kept_find(rq) != k || strcmp(k->etag, etag) != 0)
		return NULL;
	if (k->zipped == NULL && (made = gzip(rq, k->body, k->length, length)) != NULL &&
	    (k->zipped = malloc(*length)) != NULL) {
		memcpy(k->zipped, made, *length);
		k->zipped_length = *length;
	}
	*length = k->zipped_length;
	return k->zipped;
}
