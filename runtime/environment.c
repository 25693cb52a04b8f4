#include "environment.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Passed on where a run directory has an environment of its own. */
static const char *const passed[] = {
	"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR",
	"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
};

extern char **environ;

static bool
pass_some(struct env *env)
{
	if (!env_set(env, "PATH", "/usr/local/bin:/usr/bin:/bin"))
		return false;
	for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++) {
		const char *value = getenv(passed[i]);

		if (value != NULL && !env_set(env, passed[i], value))
			return false;
	}
	return true;
}

static bool
pass_all(struct env *env)
{
	for (char **s = environ; *s != NULL; s++) {
		if (!env_add(env, *s))
			return false;
	}
	return true;
}

/* How much of the function's name the context file covers; 0: not its own. */
static size_t
covers(const char *file, const char *function)
{
	size_t len = strlen(file);

	if (len <= 4 || strcmp(file + len - 4, ".env") != 0)
		return 0;
	len -= 4;
	if (strncmp(function, file, len) != 0)
		return 0;
	return function[len] == '\0' || function[len] == '-' ? len : 0;
}

/* Reads the file of the function's context, where there is one. */
static bool
read_context(struct env *env, const char *directory, const char *function,
    char *error, size_t size)
{
	char path[PATH_MAX + NAME_MAX + 2];
	size_t best = 0;
	DIR *dir = opendir(directory);

	if (dir == NULL) {
		snprintf(error, size, "%s: %s", directory, strerror(errno));
		return false;
	}
	for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
		size_t len = covers(e->d_name, function);

		if (len <= best)
			continue;
		best = len;
		snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
	}
	closedir(dir);
	return best == 0 || env_read(env, path, error, size);
}

static bool
fill(struct env *env, const char *run, const char *function,
    const char *workers, char *error, size_t size)
{
	char directory[PATH_MAX], path[PATH_MAX];
	bool own;

	if (snprintf(directory, sizeof(directory), "%s/env", run) >= PATH_MAX ||
	    snprintf(path, sizeof(path), "%s/env/common.env", run) >= PATH_MAX) {
		snprintf(error, size, "%s: the path is too long", run);
		return false;
	}
	own = access(directory, F_OK) == 0;
	snprintf(error, size, "out of memory");
	if (!(own ? pass_some(env) : pass_all(env)) ||
	    (workers != NULL && !env_set(env, "FN_WORKERS", workers)))
		return false;
	return !own || (env_read(env, path, error, size) &&
	    read_context(env, directory, function, error, size));
}

bool
environment_of(struct env *env, const char *run, const char *function,
    const char *workers, char *error, size_t size)
{
	*env = (struct env){ 0 };
	if (fill(env, run, function, workers, error, size))
		return true;
	env_free(env);
	return false;
}
