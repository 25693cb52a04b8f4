#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SECRET = 16 << 10 };

static const char *
read_secret_file(const char *path)
{
	char *text = malloc(MAX_SECRET + 1);
	FILE *f = fopen(path, "r");
	size_t n;

	if (text == NULL || f == NULL) {
		free(text);
		if (f != NULL)
			fclose(f);
		return NULL;
	}
	n = fread(text, 1, MAX_SECRET, f);
	fclose(f);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	text[n] = '\0';
	return text;
}

static const char *
value_of(const struct setting *s)
{
	const char *value = getenv(s->name);
	char file_name[80];
	const char *path;

	if (value != NULL && value[0] == '\0')
		value = NULL;		/* set but empty is not set */
	if (value != NULL || s->kind != SETTING_IS_SECRET)
		return value;
	snprintf(file_name, sizeof(file_name), "%s_FILE", s->name);
	path = getenv(file_name);
	return path == NULL || path[0] == '\0' ? NULL : read_secret_file(path);
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
		const char *value = value_of(s);

		if (value == NULL && s->required) {
			fprintf(stderr, "souk: set %s%s: %s\n", s->name,
			    s->kind == SETTING_IS_SECRET ? " (or its file in the same name with _FILE)" : "",
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
