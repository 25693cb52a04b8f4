/*
 * Fault injection, in test builds (make FAULTS=1) only.
 */
#include "fn.h"

#ifdef FAULT_POINTS

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

SETTING_TEXT(fault_dir, "FAULT_DIR", NULL,
    "Test builds: a directory with a file for each fault point that is armed");

static long
number_in(const char *path)
{
	char digits[16] = "";
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return 0;
	if (fgets(digits, sizeof(digits), f) == NULL)
		digits[0] = '\0';
	fclose(f);
	return strtol(digits, NULL, 10);
}

void
fault_point(const char *name)
{
	char armed[PATH_MAX], taken[PATH_MAX + 16];

	if (fault_dir.text == NULL)
		return;
	snprintf(armed, sizeof(armed), "%s/%s", fault_dir.text, name);
	snprintf(taken, sizeof(taken), "%s.%ld", armed, (long)getpid());
	/* rename() succeeds for one process only: exactly one gets the signal. */
	if (rename(armed, taken) == 0)
		raise((int)number_in(taken));
}

/*
 * The wall clock, wrong by so many seconds as FAULT_DIR/skew says: for a third
 * of the processes it is ahead, for another third behind.  Weak: a unit test may
 * bring a clock of its own.
 */
__attribute__((weak, visibility("default"))) int
clock_gettime(clockid_t clock, struct timespec *now)
{
	char path[PATH_MAX];
	int result = (int)syscall(SYS_clock_gettime, clock, now);

	if (result == 0 && clock == CLOCK_REALTIME && fault_dir.text != NULL) {
		snprintf(path, sizeof(path), "%s/skew", fault_dir.text);
		now->tv_sec += number_in(path) * (getpid() % 3 - 1);
	}
	return result;
}

__attribute__((weak, visibility("default"))) time_t
time(time_t *to)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (to != NULL)
		*to = now.tv_sec;
	return now.tv_sec;
}

#else

/* A translation unit must not be empty. */
extern int fault_points_are_off;

#endif
