/*
 * common_passwords.h -- the passwords that guessers try first.
 */
#ifndef COMMON_PASSWORDS_H
#define COMMON_PASSWORDS_H

#include <stdbool.h>

/* Whether it is one of the 3,000 most used ones, in upper or lower case. */
bool	 password_is_common(const char *password);

#endif
