/*
 * password.h -- bcrypt through libxcrypt.
 */
#ifndef PASSWORD_H
#define PASSWORD_H

#include <stdbool.h>

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 72 };	/* bytes; bcrypt reads no more */

/* A "$2b$" hash of the password; false when libcrypt refuses. */
bool	 password_hash(const char *password, int cost, char out[64]);
/* Takes as long for a hash of NULL, which nothing matches. */
bool	 password_matches(const char *password, const char *hash, int cost);
/* The cost a hash was made with. */
int	 password_cost(const char *hash);

#endif
