#include "envfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The string of that key, or the place for a new one. */
static char **
place_for(struct env *env, const char *key, size_t len)
{
	char **grown;

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->strings[i], key, len) == 0 &&
		    env->strings[i][len] == '=')
			return &env->strings[i];
	}
	grown = realloc(env->strings, (env->count + 2) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	env->strings = grown;
	env->strings[env->count] = env->strings[env->count + 1] = NULL;
	return &env->strings[env->count++];
}

/* Takes over pair, which is allocated. */
static bool
put(struct env *env, char *pair, size_t key_len)
{
	char **place = place_for(env, pair, key_len);

	if (place == NULL) {
		free(pair);
		return false;
	}
	free(*place);
	*place = pair;
	return true;
}

bool
env_set(struct env *env, const char *key, const char *value)
{
	size_t size = strlen(key) + 1 + strlen(value) + 1;
	char *pair = malloc(size);

	if (pair == NULL)
		return false;
	snprintf(pair, size, "%s=%s", key, value);
	return put(env, pair, strlen(key));
}

bool
env_add(struct env *env, const char *key_and_value)
{
	char *pair = strdup(key_and_value);

	return pair != NULL && put(env, pair, strcspn(pair, "="));
}

/* The length of the key of KEY=value, 0 when there is none. */
static size_t
key_length(const char *line)
{
	size_t len = 0;

	if (isdigit((unsigned char)line[0]))
		return 0;
	while (isalnum((unsigned char)line[len]) || line[len] == '_')
		len++;
	return line[len] == '=' ? len : 0;
}

static bool
take_line(struct env *env, const char *line)
{
	while (isblank((unsigned char)*line))
		line++;
	if (*line == '\0' || *line == '#')
		return true;
	return key_length(line) > 0 && env_add(env, line);
}

bool
env_read(struct env *env, const char *path, char *error, size_t size)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	bool ok = true;

	if (f == NULL) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return errno == ENOENT;
	}
	for (int n = 1; ok && (len = getline(&line, &room, f)) >= 0; n++) {
		if (len > 0 && line[len - 1] == '\n')
			line[--len] = '\0';
		ok = strlen(line) == (size_t)len && take_line(env, line);
		if (!ok)
			snprintf(error, size, "%s:%d: not KEY=value", path, n);
	}
	if (ok && ferror(f)) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		ok = false;
	}
	free(line);
	fclose(f);
	return ok;
}

void
env_free(struct env *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->strings[i]);
	free(env->strings);
	*env = (struct env){ 0 };
}
