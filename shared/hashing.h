/*
 * hashing.h -- passwords within a request, at the configured cost.
 *
 * It waits for a turn (hash_slot.h) and hashes at a lower priority than the
 * shop has.  No transaction may be open meanwhile.  Where no turn comes in
 * time, the request is refused with 503.
 */
#ifndef HASHING_H
#define HASHING_H

#include "fn.h"

/* NULL after refusing the request. */
const char	*hash_new_password(struct req *, const char *password);
/* hash may be NULL: nobody's, which takes as long and never matches. */
bool		 hash_matches(struct req *, const char *password, const char *hash);
/* Whether a hash was made at a lower cost than the configured one. */
bool		 hash_is_dated(const char *hash);

#endif
