/*
 * What a worker keeps is found again by the same endpoint and the same inputs
 * only, and not for ever.
 */
#include "kept.h"

#include "fixture.h"

#include <stdlib.h>

static const struct endpoint first_endpoint = { .path = "/a", .cache = { .seconds = 60 } };
static const struct endpoint second_endpoint = { .path = "/b", .cache = { .seconds = 60 } };
static const struct endpoint brief_endpoint = { .path = "/c", .cache = { .seconds = 0 } };
static const struct entry first = { .endpoint = &first_endpoint, .name = "first" };
static const struct entry second = { .endpoint = &second_endpoint, .name = "second" };
static const struct entry brief = { .endpoint = &brief_endpoint, .name = "brief" };

static void
ask(const struct entry *entry, const char *inputs)
{
	it.entry = entry;
	it.cache_text = inputs;
}

static void
the_same_request_finds_what_was_kept(void **state)
{
	const struct kept *k;

	(void)state;
	ask(&first, "&page=1");
	kept_add(&it, "v1", "\"e\"", "{\"a\":1}", 7);
	k = kept_find(&it);
	assert_non_null(k);
	assert_string_equal(k->tag, "v1");
	assert_string_equal(k->etag, "\"e\"");
	assert_int_equal(k->length, 7);
	assert_memory_equal(k->body, "{\"a\":1}", 7);
}

static void
other_inputs_and_other_endpoints_find_nothing(void **state)
{
	(void)state;
	ask(&first, "&page=1");
	kept_add(&it, "v1", "\"e\"", "x", 1);
	ask(&second, "&page=1");
	assert_null(kept_find(&it));
	/* More inputs than there are slots: whatever shares one is told apart. */
	for (int i = 2; i < 200; i++) {
		ask(&first, fmt(&it, "&page=%d", i));
		assert_null(kept_find(&it));
	}
}

static void
a_newer_answer_takes_the_place_of_an_older(void **state)
{
	(void)state;
	ask(&first, "&page=1");
	kept_add(&it, "v1", "\"old\"", "old", 3);
	kept_add(&it, "v2", "\"new\"", "newer", 5);
	assert_string_equal(kept_find(&it)->tag, "v2");
	assert_int_equal(kept_find(&it)->length, 5);
}

static void
what_has_expired_or_is_large_is_not_kept(void **state)
{
	char *large = calloc(1, 64 << 10);

	(void)state;
	ask(&brief, "");
	kept_add(&it, "v1", "\"e\"", "x", 1);
	assert_null(kept_find(&it));
	ask(&second, "&large");
	kept_add(&it, "v1", "\"e\"", large, 64 << 10);
	assert_null(kept_find(&it));
	free(large);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_request_finds_what_was_kept),
		cmocka_unit_test(other_inputs_and_other_endpoints_find_nothing),
		cmocka_unit_test(a_newer_answer_takes_the_place_of_an_older),
		cmocka_unit_test(what_has_expired_or_is_large_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
