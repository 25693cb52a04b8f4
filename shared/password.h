/*
 * password.h -- bcrypt through libxcrypt.
 */
#ifndef PASSWORD_H
#define PASSWORD_H

#include <stdbool.h>

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 72 };	/* bytes; bcrypt reads no more */

/* A "$2b$" hash of the password; false when libcrypt refuses. */
bool	 password_hash(const char *password, int cost, char out[64]);
/* What does not match takes as long as a hash of that cost, also where the hash
 * is NULL or none, which nothing matches, or was made at a lower cost. */
bool	 password_matches(const char *password, const char *hash, int cost);
/* The cost a hash was made with. */
int	 password_cost(const char *hash);

#endif
