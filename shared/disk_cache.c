#include "disk_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	WRITTEN_AT = 946684800,		/* 2000-01-01: any time, the same for all */
	STALE_S = 60,			/* what is half written for longer is nobody's */
	READ_AGAIN_S = 600		/* reading is noted as seldom as that */
};

static size_t put_since_trim = SIZE_MAX;	/* before the first one, who knows */

static bool
write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, bytes, n);

		if (written <= 0)
			return false;
		bytes += written;
		n -= (size_t)written;
	}
	return true;
}

static bool
path_of(char path[static PATH_MAX], const char *directory, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX;
}

/* File systems may be told not to keep the time a file was read. */
bool
disk_cache_has(const char *directory, const char *name, size_t *length)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	char path[PATH_MAX];
	struct stat st;

	if (!path_of(path, directory, name) || stat(path, &st) != 0)
		return false;
	if (st.st_atime < time(NULL) - READ_AGAIN_S)
		utimensat(AT_FDCWD, path, times, 0);
	*length = (size_t)st.st_size;
	return true;
}

bool
disk_cache_put(const char *directory, const char *name, const char *bytes, size_t n)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = WRITTEN_AT } };
	char path[PATH_MAX], half[PATH_MAX], hidden[NAME_MAX + 1];
	bool good;
	int fd;

	snprintf(hidden, sizeof(hidden), ".%s.%d", name, (int)getpid());
	if (!path_of(path, directory, name) || !path_of(half, directory, hidden))
		return false;
	fd = open(half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return false;
	good = write_all(fd, bytes, n) && futimens(fd, times) == 0;
	good = close(fd) == 0 && good && rename(half, path) == 0;
	if (!good)
		unlink(half);
	if (put_since_trim != SIZE_MAX)
		put_since_trim += n;
	return good;
}

/* Each process counts what it puts: with several the directory is this much
 * larger at times. */
bool
disk_cache_is_due(size_t most)
{
	return put_since_trim > most / 16;
}

struct entry { char name[NAME_MAX + 1]; time_t read_at; size_t size; };

static int
by_reading(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->read_at < y->read_at ? -1 : x->read_at > y->read_at;
}

/* The files there, *count of them; NULL when there is no memory. */
static struct entry *
list(int directory, DIR *d, size_t *count, size_t *total)
{
	struct entry *all = NULL;
	const struct dirent *e;
	struct stat st;

	*count = *total = 0;
	while ((e = readdir(d)) != NULL) {
		if (fstatat(directory, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (e->d_name[0] == '.') {
			if (st.st_ctime < time(NULL) - STALE_S)
				unlinkat(directory, e->d_name, 0);
			continue;
		}
		if ((*count & (*count - 1)) == 0) {	/* a power of two: full */
			struct entry *more = realloc(all, sizeof(*all) * (*count == 0 ? 1 : *count * 2));

			if (more == NULL)
				break;
			all = more;
		}
		snprintf(all[*count].name, sizeof(all->name), "%s", e->d_name);
		all[*count].read_at = st.st_atime;
		all[(*count)++].size = (size_t)st.st_size;
		*total += (size_t)st.st_size;
	}
	return all;
}

void
disk_cache_trim(const char *directory, size_t most)
{
	DIR *d = opendir(directory);
	struct entry *all;
	size_t count, total;

	put_since_trim = 0;
	if (d == NULL)
		return;
	all = list(dirfd(d), d, &count, &total);
	if (total > most) {
		qsort(all, count, sizeof(*all), by_reading);
		for (size_t i = 0; i < count && total > most / 4 * 3; i++)
			if (unlinkat(dirfd(d), all[i].name, 0) == 0)
				total -= all[i].size;
	}
	free(all);
	closedir(d);
}
