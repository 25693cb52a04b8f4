#include "hash_slot.h"
#include "fn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

SETTING_TEXT(state_dir, "FN_STATE_DIR", NULL,
    "Directory where the functions of a machine count together");
SETTING_INT(concurrency, "HASH_CONCURRENCY", 0, 0, 256,
    "Passwords hashed at once by all functions of the machine; 0 is half its cores");
SETTING_INT(wait_ms, "HASH_WAIT_MS", 5000, 0, 25000,
    "Milliseconds a request waits for its turn to hash a password before it is a 503");

enum { PAUSE_US = 4000 };

static int
slots(void)
{
	long cores = concurrency.number > 0 ? 0 : sysconf(_SC_NPROCESSORS_ONLN);

	if (concurrency.number > 0)
		return (int)concurrency.number;
	return cores < 4 ? 1 : (int)cores / 2;
}

/* NO_SLOT where it is somebody's. */
static int
try_slot(int number)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/hash-slot.%d", state_dir.text, number);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		log_line(LOG_ERROR, "cannot open a slot for hashing", "file", path,
		    "problem", strerror(errno), NULL);
		return NO_SLOTS;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return NO_SLOT;
}

int
hash_slot_take(void)
{
	uint64_t deadline = now_us() + (uint64_t)wait_ms.number * 1000;
	int n = slots();

	if (state_dir.text == NULL)
		return NO_SLOTS;
	for (;;) {
		for (int i = 0; i < n; i++) {
			int slot = try_slot((getpid() + i) % n);

			if (slot != NO_SLOT)
				return slot;
		}
		if (now_us() >= deadline)
			return NO_SLOT;
		usleep(PAUSE_US);
	}
}

void
hash_slot_give(int slot)
{
	if (slot >= 0)
		close(slot);
}
