/*
 * describe.h -- --describe: the binary's declarations as JSON on standard
 * output.  Routes, OpenAPI, manifests and the docs page are derived from it.
 */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <stdbool.h>

/* False, with each reason on stderr, when a declaration is not sound. */
bool	 describe_check(void);
void	 describe(const char *binary);

#endif
