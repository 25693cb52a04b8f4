/*
 * A process's own counts: what cannot be made to forget.
 */
#include "tally.h"

#include "fixture.h"

static const char *
key(const char *name, int i)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s-%d", name, i);
	return text;
}

static void
a_key_has_one_count(void **state)
{
	(void)state;
	assert_int_equal(tally_of("a", 900)->count++, 0);
	assert_int_equal(tally_of("a", 900)->count++, 1);
	assert_int_equal(tally_of("b", 900)->count, 0);
	assert_int_equal(tally_of("a", 900)->count, 2);
	assert_in_range(tally_wait_ms(tally_of("a", 900)), 899000, 900000);
}

static void
what_is_forgotten_starts_again(void **state)
{
	(void)state;
	tally_of("f", 900)->count = 5;
	tally_forget("g");
	assert_int_equal(tally_of("f", 900)->count, 5);
	tally_forget("f");
	assert_int_equal(tally_of("f", 900)->count, 0);
}

static void
its_time_ends(void **state)
{
	struct tally *t = tally_of("t", 900);

	(void)state;
	t->count = 5;
	t->ends_us = now_us();
	assert_int_equal(tally_wait_ms(t), 0);
	assert_int_equal(tally_of("t", 900)->count, 0);
	assert_in_range(tally_wait_ms(tally_of("t", 900)), 899000, 900000);
}

/* Ten thousand others with one try each do not push out who is at five. */
static void
a_flood_of_keys_does_not_push_out_a_high_count(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		tally_of(key("high", i), 900)->count = 5;
	for (int i = 0; i < 10000; i++)
		tally_of(key("flood", i), 900)->count++;
	for (int i = 0; i < 20; i++)
		assert_int_equal(tally_of(key("high", i), 900)->count, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_has_one_count),
		cmocka_unit_test(what_is_forgotten_starts_again),
		cmocka_unit_test(its_time_ends),
		cmocka_unit_test(a_flood_of_keys_does_not_push_out_a_high_count),
	};

	return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
