#include "arena.h"
#include "fn.h"
#include "sanitized.h"

#include <stdlib.h>
#include <string.h>

/* Sanitizers learn which bytes are live, or the arena would hide overruns. */
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#define poison(p, n)	ASAN_POISON_MEMORY_REGION(p, n)
#define unpoison(p, n)	ASAN_UNPOISON_MEMORY_REGION(p, n)
enum { GAP = 16 };		/* never handed out, so always poisoned */
#else
#define poison(p, n)	((void)0)
#define unpoison(p, n)	((void)0)
enum { GAP = 0 };
#endif

/* From LARGE on a piece gets a block of just its size, and those that follow do
 * not double that. */
enum { FIRST_BLOCK = 32 << 10, LARGE = 256 << 10, ALIGNMENT = 16 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(ALIGNMENT) char bytes[];
};

static struct arena_block *
make_block(struct arena *a, size_t size)
{
	struct arena_block *b;

	a->total += size;
	if (a->total > ARENA_LIMIT || (b = malloc(sizeof(*b) + size)) == NULL) {
		log_line(LOG_ERROR, "a request needs too much memory", NULL);
		_Exit(70);
	}
	b->size = size;
	poison(b->bytes, size);
	return b;
}

static void
add_block(struct arena *a, size_t least)
{
	size_t size = a->blocks == NULL ? FIRST_BLOCK : a->blocks->size * 2;
	struct arena_block *b;

	while (size < least)
		size *= 2;
	b = make_block(a, size);
	b->next = a->blocks;
	a->blocks = b;
	a->used = 0;
}

static char *
take_large(struct arena *a, size_t n)
{
	struct arena_block *b = make_block(a, n);

	b->next = a->large;
	a->large = b;
	return b->bytes;
}

/* Not zeroed: for those who write all of it at once. */
static char *
take(struct arena *a, size_t n)
{
	size_t rounded = (n + GAP + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	char *p;

	if (n > ARENA_LIMIT)
		rounded = ARENA_LIMIT + 1;	/* more than there can be */
	if (rounded >= LARGE) {
		p = take_large(a, rounded);
	} else {
		if (a->blocks == NULL || a->blocks->size - a->used < rounded)
			add_block(a, rounded);
		p = a->blocks->bytes + a->used;
		a->used += rounded;
	}
	unpoison(p, n);
	return p;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	return memset(take(a, n), 0, n);
}

char *
arena_copy(struct arena *a, const char *s, size_t n)
{
	char *copy = take(a, n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

static struct arena_block *
free_block(struct arena_block *b)
{
	struct arena_block *next = b->next;

	free(b);
	return next;
}

void
arena_reset(struct arena *a)
{
	while (a->large != NULL)
		a->large = free_block(a->large);
	while (a->blocks != NULL && a->blocks->next != NULL)
		a->blocks = free_block(a->blocks);
	if (a->blocks != NULL)
		poison(a->blocks->bytes, a->blocks->size);
	a->used = 0;
	a->total = a->blocks == NULL ? 0 : a->blocks->size;
}

struct arena_mark
arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->blocks, a->large, a->used, a->total };
}

void
arena_release(struct arena *a, const struct arena_mark *m)
{
	while (a->large != m->large)
		a->large = free_block(a->large);
	while (a->blocks != m->blocks)
		a->blocks = free_block(a->blocks);
	a->used = m->used;
	a->total = m->total;
	if (a->blocks != NULL)
		poison(a->blocks->bytes + a->used, a->blocks->size - a->used);
}
