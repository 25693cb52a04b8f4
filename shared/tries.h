/*
 * tries.h -- how often an account's password may be guessed.
 *
 * By one address for one e-mail a few times, and for one e-mail from all
 * addresses together more often, which stops a guesser with many addresses.
 * That he can use up; so where the account has signed in lately it does not
 * count, and its owner goes on as ever.  From elsewhere he resets the password,
 * which clears it.
 */
#ifndef TRIES_H
#define TRIES_H

#include "fn.h"

/* Before the password is looked at.  False: the request is refused. */
bool	 tries_allow(struct req *, const char *email, bool is_at_home);
/* After a success, or once the account's owner is known otherwise. */
void	 tries_clear(struct req *, const char *email);

#endif
