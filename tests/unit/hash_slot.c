/*
 * Slots for hashing: as many as configured, over processes, and given back by
 * whoever dies.
 */
#include "hash_slot.h"
#include "hashing.h"
#include "settings.h"

#include "fixture.h"

#include <signal.h>

static char directory[64];

static int
take(void)
{
	int slot = hash_slot_take();

	assert_true(slot >= 0);
	return slot;
}

static void
there_are_as_many_as_configured(void **state)
{
	int a = take(), b = take();

	(void)state;
	assert_int_equal(hash_slot_take(), NO_SLOT);
	hash_slot_give(a);
	a = take();
	assert_int_equal(hash_slot_take(), NO_SLOT);
	hash_slot_give(a);
	hash_slot_give(b);
}

/* A process that takes both and lives until it is killed. */
static pid_t
hold_both(void)
{
	int ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		bool both = hash_slot_take() >= 0 && hash_slot_take() >= 0;

		if (both && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_true(child > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void
whoever_is_killed_gives_theirs_back(void **state)
{
	pid_t child = hold_both();
	int slot;

	(void)state;
	assert_int_equal(hash_slot_take(), NO_SLOT);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	slot = take();
	hash_slot_give(slot);
}

static void
whoever_waits_in_vain_is_told_to_come_back(void **state)
{
	pid_t child = hold_both();

	(void)state;
	BEGIN(.method = "POST", .uri = "/");
	assert_false(hash_matches(&it, "x", NULL));
	assert_int_equal(it.status, 503);
	BEGIN(.method = "POST", .uri = "/");
	assert_null(hash_new_password(&it, "x"));
	assert_int_equal(it.status, 503);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	BEGIN(.method = "POST", .uri = "/");
	assert_non_null(hash_new_password(&it, "x"));
	assert_false(it.decided);
}

static int
count_without_a_directory(void)
{
	unsetenv("FN_STATE_DIR");
	return settings_read() && hash_slot_take() == NO_SLOTS ? 0 : 1;
}

static int
count_in_a_bad_directory(void)
{
	setenv("FN_STATE_DIR", "/nonexistent", 1);
	return settings_read() && hash_slot_take() == NO_SLOTS ? 0 : 1;
}

static void
without_a_place_for_them_there_is_no_bound(void **state)
{
	(void)state;
	assert_int_equal(in_child(count_without_a_directory), 0);
	capture();
	assert_int_equal(in_child(count_in_a_bad_directory), 0);
	assert_non_null(strstr(captured(), "cannot open a slot"));
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/slots.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	setenv("FN_STATE_DIR", directory, 1);
	setenv("HASH_CONCURRENCY", "2", 1);
	setenv("HASH_WAIT_MS", "30", 1);
	setenv("BCRYPT_COST", "4", 1);
	return settings_read() ? 0 : -1;
}

static int
tear_down(void **state)
{
	char path[128];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/hash-slot.%d", directory, i);
		unlink(path);
	}
	return rmdir(directory) + finish(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_are_as_many_as_configured),
		cmocka_unit_test(whoever_is_killed_gives_theirs_back),
		cmocka_unit_test(whoever_waits_in_vain_is_told_to_come_back),
		cmocka_unit_test(without_a_place_for_them_there_is_no_bound),
	};

	return cmocka_run_group_tests_name("hash_slot", tests, set_up, tear_down);
}
