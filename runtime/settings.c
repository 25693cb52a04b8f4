#include "settings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SECRET = 16 << 10 };

static const char nothing[] = "there is nothing in it";

/* NULL with *problem saying why. */
static const char *
read_secret_file(const char *path, const char **problem)
{
	char *text = malloc(MAX_SECRET + 2);
	FILE *f = fopen(path, "r");
	size_t n = 0;

	*problem = NULL;
	if (text != NULL && f != NULL)
		n = fread(text, 1, MAX_SECRET + 1, f);
	if (text == NULL || f == NULL || ferror(f))
		*problem = strerror(errno);
	else if (n > MAX_SECRET)
		*problem = "too long for a secret";
	if (f != NULL)
		fclose(f);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (*problem == NULL && n == 0)
		*problem = nothing;
	if (*problem != NULL) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

/* The credential that systemd has handed us under that name.  One that is empty
 * stands for one that the machine does not have. */
static bool
find_credential(const struct setting *s, const char **value)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY"), *problem;
	char path[PATH_MAX];

	if (directory == NULL ||
	    snprintf(path, sizeof(path), "%s/%s", directory, s->name) >= PATH_MAX ||
	    access(path, F_OK) != 0)
		return true;
	*value = read_secret_file(path, &problem);
	if (*value == NULL && problem != nothing)
		fprintf(stderr, "souk: %s: %s\n", path, problem);
	return *value != NULL || problem == nothing;
}

/* False after naming a file that has no secret in it. */
static bool
find_secret(const struct setting *s, const char **value)
{
	char name[80];
	const char *path, *problem;

	snprintf(name, sizeof(name), "%s_FILE", s->name);
	path = getenv(name);
	if (path == NULL || path[0] == '\0')
		return find_credential(s, value);
	*value = read_secret_file(path, &problem);
	if (*value == NULL)
		fprintf(stderr, "souk: %s: %s: %s\n", name, path, problem);
	return *value != NULL;
}

/* Leaves *value NULL where there is none: set but empty is not set. */
static bool
find_value(const struct setting *s, const char **value)
{
	*value = getenv(s->name);
	if (*value != NULL && **value == '\0')
		*value = NULL;
	return *value != NULL || s->kind != SETTING_IS_SECRET || find_secret(s, value);
}

static bool
read_number(struct setting *s, const char *value)
{
	char *end;

	errno = 0;
	s->number = strtoll(value, &end, 10);
	if (errno == 0 && *end == '\0' && s->number >= s->min && s->number <= s->max)
		return true;
	fprintf(stderr, "souk: %s must be a whole number from %lld to %lld, not \"%s\"\n",
	    s->name, (long long)s->min, (long long)s->max, value);
	return false;
}

bool
settings_read(void)
{
	bool good = true;

	for (struct setting *const *at = __start_settings; at < __stop_settings; at++) {
		struct setting *s = *at;
		const char *value;

		if (!find_value(s, &value)) {
			good = false;
			continue;
		}
		if (value == NULL && s->required) {
			fprintf(stderr, "souk: set %s%s: %s\n", s->name,
			    s->kind == SETTING_IS_SECRET ? " (or its file in the same name with _FILE, or the credential)" : "",
			    s->doc);
			good = false;
		}
		if (s->kind == SETTING_IS_INT)
			good = (value == NULL || read_number(s, value)) && good;
		else
			s->text = value != NULL ? value : s->preset;
	}
	return good;
}
