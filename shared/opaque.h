/*
 * opaque.h -- tokens that say nothing: whoever shows one, has it.
 */
#ifndef OPAQUE_H
#define OPAQUE_H

#include "fn.h"

/* A new one: 32 random bytes in base64url. */
const char	*token_random(struct req *);
/* What is stored of one: SHA-256, as a Postgres bytea literal. */
const char	*token_stored(struct req *, const char *token);

#endif
