/*
 * envfile.h -- environments made of files of KEY=value lines.
 *
 * A line is blank, or a comment whose first visible character is #, or
 * KEY=value.  KEY is letters, digits and underscores, not starting with a
 * digit; blanks before it are skipped.  The value is every byte after the
 * first = up to the end of the line: quotes, backslashes, # and $ mean
 * themselves, and nothing is expanded.  A later line replaces an earlier one
 * of the same key.
 */
#ifndef ENVFILE_H
#define ENVFILE_H

#include <stdbool.h>
#include <stddef.h>

/* An environment for execve(); all zero is an empty one. */
struct env {
	char	**strings;	/* ends with NULL once anything was set */
	size_t	  count;
};

bool	env_set(struct env *, const char *key, const char *value);
bool	env_add(struct env *, const char *key_and_value);	/* "KEY=value" */
/*
 * Adds what the file says.  A file that does not exist adds nothing.  False
 * leaves one line about what is wrong, and where, in error.
 */
bool	env_read(struct env *, const char *path, char *error, size_t size);
void	env_free(struct env *);

#endif
