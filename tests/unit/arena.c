/*
 * A request's memory: aligned, zeroed, bounded, and watched by sanitizers.
 */
#include "fixture.h"

#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED
#endif
#endif
#ifdef WATCHED
#include <sanitizer/asan_interface.h>
#endif

static struct arena arena;

static bool
is_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_reset(&arena);
	free(arena.blocks);
	arena = (struct arena){ 0 };
	return 0;
}

static void
every_size_is_aligned_and_zeroed(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t n = 0; n < 600; n++) {
			char *p = arena_alloc(&arena, n);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			assert_true(is_zero(p, n));
			memset(p, 0xaa, n);
		}
		arena_reset(&arena);
	}
}

static void
pieces_do_not_overlap(void **state)
{
	enum { PIECES = 2000 };
	static char *pieces[PIECES];

	(void)state;
	for (size_t i = 0; i < PIECES; i++) {
		pieces[i] = arena_alloc(&arena, i % 97 + 1);
		memset(pieces[i], (int)(i % 251), i % 97 + 1);
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t at = 0; at <= i % 97; at++)
			assert_int_equal((unsigned char)pieces[i][at], i % 251);
}

static void
big_pieces_find_room(void **state)
{
	static const size_t sizes[] = { 32 << 10, (32 << 10) + 1, 1 << 20, 3 << 20 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char *small = arena_alloc(&arena, 10), *big = arena_alloc(&arena, sizes[i]);

		assert_true(is_zero(big, sizes[i]));
		memset(big, 0xbb, sizes[i]);
		assert_true(is_zero(small, 10));
	}
}

static void
a_copy_ends_with_nul(void **state)
{
	(void)state;
	assert_string_equal(arena_copy(&arena, "abcdef", 3), "abc");
	assert_string_equal(arena_copy(&arena, "", 0), "");
	assert_memory_equal(arena_copy(&arena, "a\0b", 3), "a\0b", 4);
}

static void
the_first_block_is_kept_for_the_next_request(void **state)
{
	char *first = arena_alloc(&arena, 100);
	size_t total = arena.total;

	(void)state;
	for (int i = 0; i < 100; i++)
		arena_alloc(&arena, 20000);
	assert_true(arena.total > total);
	arena_reset(&arena);
	assert_int_equal(arena.total, total);
	assert_ptr_equal(arena_alloc(&arena, 100), first);
	arena_reset(&arena);
	arena_reset(&arena);
}

static void
a_large_piece_takes_no_more_than_its_size(void **state)
{
	char *small = arena_alloc(&arena, 10), *body = arena_alloc(&arena, 5 << 20);
	char *next = arena_alloc(&arena, 10);
	size_t total = arena.total;

	(void)state;
	assert_true(total < (5 << 20) + (64 << 10));
	assert_true(next > small && next < small + 100);
	memset(body, 0xcc, 5 << 20);
	arena_alloc(&arena, 40000);
	assert_true(arena.total < total + (128 << 10));
	arena_reset(&arena);
	assert_true(arena.total < 64 << 10);
	assert_ptr_equal(arena_alloc(&arena, 10), small);
	/* Nor is one kept that was there first. */
	tear_down(NULL);
	arena_alloc(&arena, 5 << 20);
	arena_reset(&arena);
	assert_int_equal(arena.total, 0);
}

static int
takes_too_much_in_pieces(void)
{
	for (int i = 0; i < 2000; i++)
		arena_alloc(&arena, 16 << 10);
	return 0;
}

static int
takes_too_much_at_once(void)
{
	arena_alloc(&arena, (size_t)ARENA_LIMIT + 1);
	return 0;
}

static int
takes_all_there_is(void)
{
	arena_alloc(&arena, SIZE_MAX);
	return 0;
}

static void
a_request_that_wants_too_much_ends_its_process(void **state)
{
	int (*const greedy[])(void) = { takes_too_much_in_pieces, takes_too_much_at_once,
	    takes_all_there_is };

	(void)state;
	for (size_t i = 0; i < sizeof(greedy) / sizeof(*greedy); i++) {
		int status;

		capture();
		status = in_child(greedy[i]);
		assert_non_null(strstr(captured(), "too much memory"));
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 70);
	}
}

static void
what_came_after_a_mark_goes(void **state)
{
	char *before = arena_copy(&arena, "before", 6);
	struct arena_mark mark = arena_mark(&arena);
	size_t total = arena.total;

	(void)state;
	for (int round = 0; round < 100; round++) {
		/* Small ones, and more than a block of them; large ones. */
		for (int i = 0; i < 100; i++)
			memset(arena_alloc(&arena, 1000), 'x', 1000);
		memset(arena_alloc(&arena, 1 << 20), 'x', 1 << 20);
		assert_true(arena.total > total);
		arena_release(&arena, &mark);
		assert_int_equal(arena.total, total);
	}
	assert_string_equal(before, "before");
	assert_true(is_zero(arena_alloc(&arena, 1000), 1000));
}

#ifdef WATCHED
static void
sanitizers_know_which_bytes_are_live(void **state)
{
	(void)state;
	for (size_t n = 1; n < 200; n++) {
		char *p = arena_alloc(&arena, n);

		assert_null(__asan_region_is_poisoned(p, n));
		assert_true(__asan_address_is_poisoned(p + n));
		assert_true(__asan_address_is_poisoned(p + n + 15));
	}
}

static void
sanitizers_know_when_a_request_has_ended(void **state)
{
	char *p = arena_alloc(&arena, 100);

	(void)state;
	arena_reset(&arena);
	for (size_t i = 0; i < 100; i++)
		assert_true(__asan_address_is_poisoned(p + i));
}

static void
sanitizers_know_what_a_mark_has_let_go(void **state)
{
	struct arena_mark mark;
	char *kept = arena_alloc(&arena, 100), *gone;

	(void)state;
	mark = arena_mark(&arena);
	gone = arena_alloc(&arena, 100);
	arena_release(&arena, &mark);
	assert_null(__asan_region_is_poisoned(kept, 100));
	for (size_t i = 0; i < 100; i++)
		assert_true(__asan_address_is_poisoned(gone + i));
}
#endif

int
main(void)
{
#define TEST(f)	cmocka_unit_test_teardown(f, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_size_is_aligned_and_zeroed),
		TEST(pieces_do_not_overlap),
		TEST(big_pieces_find_room),
		TEST(a_copy_ends_with_nul),
		TEST(a_large_piece_takes_no_more_than_its_size),
		TEST(the_first_block_is_kept_for_the_next_request),
		TEST(a_request_that_wants_too_much_ends_its_process),
		TEST(what_came_after_a_mark_goes),
#ifdef WATCHED
		TEST(sanitizers_know_which_bytes_are_live),
		TEST(sanitizers_know_when_a_request_has_ended),
		TEST(sanitizers_know_what_a_mark_has_let_go),
#endif
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
