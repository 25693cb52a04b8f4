/*
 * Backoff: it doubles with each attempt up to a bound, and whoever failed at the
 * same time does not come back at the same time.
 */
#include "../../shared/lease.h"

#include "fixture.h"

enum { LEAST = 100, FIRST = 8, MOST = 64 };

/* So many calls take some milliseconds, in which every value turns up. */
static void
range_of(int64_t attempt, int64_t *least, int64_t *most)
{
	*least = INT64_MAX;
	*most = 0;
	for (int i = 0; i < 200000; i++) {
		int64_t ms = lease_backoff_ms(attempt, FIRST, MOST);

		*least = ms < *least ? ms : *least;
		*most = ms > *most ? ms : *most;
	}
}

static void
it_doubles_up_to_a_bound_with_full_jitter(void **state)
{
	static const int64_t bounds[] = { FIRST, 2 * FIRST, 4 * FIRST, MOST, MOST, MOST };
	int64_t least, most;

	(void)state;
	for (int64_t attempt = 0; attempt < 6; attempt++) {
		range_of(attempt, &least, &most);
		assert_int_equal(least, LEAST);
		assert_int_equal(most, LEAST + bounds[attempt] - 1);
	}
	range_of(INT64_MAX / 2, &least, &most);
	assert_int_equal(most, LEAST + MOST - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_doubles_up_to_a_bound_with_full_jitter),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, finish);
}
