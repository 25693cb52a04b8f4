/*
 * environment.h -- the environment that the supervisor gives a function.
 *
 * A few variables of its own (environment.c names them), then
 * RUN/env/common.env, then RUN/env/<context>.env of the longest context that
 * is the function's name or stands before a dash in it.  envfile.h has the
 * format.  Where there is no RUN/env, as in a container, it starts from the
 * supervisor's whole environment.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "envfile.h"

/* workers may be NULL.  False says why in error and leaves *env empty. */
bool	environment_of(struct env *env, const char *run, const char *function,
	    const char *workers, char *error, size_t size);

#endif
