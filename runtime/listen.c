#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A full backlog of a Unix socket is an error at once for lighttpd. */
#define BACKLOG		4096

bool
listen_path(char *path, size_t size, const char *directory, const char *name)
{
	struct sockaddr_un address;
	int len = snprintf(path, size, "%s/%s.sock", directory, name);

	return len > 0 && (size_t)len < size &&
	    (size_t)len < sizeof(address.sun_path);
}

/* Never visible to others with a wider mode than it will have. */
static int
bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0117);
	int bound = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(before);
	return bound;
}

int
listen_at(const char *directory, const char *name, char *error, size_t size)
{
	struct sockaddr_un unnamed = { .sun_family = AF_UNIX };
	char path[sizeof(unnamed.sun_path)];
	int fd;

	if (!listen_path(path, sizeof(path), directory, name)) {
		snprintf(error, size, "%s/%s.sock: the path of a socket has at "
		    "most %zu bytes; use a shorter run directory", directory,
		    name, sizeof(path) - 1);
		return -1;
	}
	/* A name of its own where others begin at the same time, and not longer
	 * than the final path. */
	snprintf(unnamed.sun_path, sizeof(unnamed.sun_path), "%.*s/~%.*s",
	    (int)strlen(directory), directory, (int)strlen(name), name);
	unlink(unnamed.sun_path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind_private(fd, &unnamed) != 0 ||
	    listen(fd, BACKLOG) != 0 || rename(unnamed.sun_path, path) != 0) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

bool
listen_is_heard(const char *directory, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool heard;

	if (fd < 0)
		return true;	/* nobody knows */
	heard = listen_path(address.sun_path, sizeof(address.sun_path), directory, name) &&
	    (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
	    (errno != ECONNREFUSED && errno != ENOENT));
	close(fd);
	return heard;
}

void
listen_remove(const char *directory, const char *name)
{
	char path[PATH_MAX];

	listen_mark_asleep(directory, name, false);
	if (listen_path(path, sizeof(path), directory, name))
		unlink(path);
}

static bool
asleep_path(char path[static PATH_MAX], const char *directory, const char *name)
{
	int len = snprintf(path, PATH_MAX, "%s/%s.asleep", directory, name);

	return len > 0 && len < PATH_MAX;
}

void
listen_mark_asleep(const char *directory, const char *name, bool asleep)
{
	char path[PATH_MAX];
	int fd;

	if (!asleep_path(path, directory, name))
		return;
	if (!asleep) {
		unlink(path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	if (fd >= 0)
		close(fd);
}

bool
listen_is_asleep(const char *directory, const char *name)
{
	char path[PATH_MAX];

	return asleep_path(path, directory, name) && access(path, F_OK) == 0;
}
