/*
 * audit.h -- privileged acts, told to the audit log in the transaction of
 * their effect.
 */
#ifndef AUDIT_H
#define AUDIT_H

#include "fn.h"

/* The caller did "category.deleted" to "category:5".  before and after are
 * JSON, or NULL, and name nobody: the log outlives whoever is erased. */
void	 audit(struct req *, const char *action, const char *target,
	    const char *before, const char *after);

#endif
