/*
 * Fault injection, in test builds (make FAULTS=1) only.
 */
#include "fn.h"

#ifdef FAULT_POINTS

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

SETTING_TEXT(crash_at_file, "CRASH_AT_FILE", NULL,
    "Test builds: a file naming the fault point at which to die");

void
fault_point(const char *name)
{
	char wanted[64] = "";
	FILE *f = crash_at_file.text == NULL ? NULL : fopen(crash_at_file.text, "r");

	if (f == NULL)
		return;
	if (fgets(wanted, sizeof(wanted), f) != NULL)
		wanted[strcspn(wanted, "\n")] = '\0';
	fclose(f);
	/* unlink() succeeds for one process only: exactly one dies. */
	if (strcmp(wanted, name) == 0 && unlink(crash_at_file.text) == 0)
		raise(SIGKILL);
}

#else

/* A translation unit must not be empty. */
extern int fault_points_are_off;

#endif
