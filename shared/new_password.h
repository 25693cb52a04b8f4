/*
 * new_password.h -- what a password must be to be taken for a new one.
 *
 * There are no rules of composition (OWASP ASVS 6.2.5), only a length that
 * bcrypt reads whole and a list of those everybody guesses first.
 */
#ifndef NEW_PASSWORD_H
#define NEW_PASSWORD_H

#include "fn.h"
#include "password.h"

/* The field of an endpoint's input. */
#define NEW_PASSWORD(m, wire)						\
	BODY_AS(m, wire, STR, "8 to 72 bytes, any characters", .required = true, \
	    .bytes = true, .min = PASSWORD_MIN, .max = PASSWORD_MAX,	\
	    .example = "\"saffron and mint\"")
/* A password that an account has. */
#define OLD_PASSWORD(m, wire, doc)					\
	BODY_AS(m, wire, STR, doc, .required = true, .bytes = true, .min = 1, .max = 1024, \
	    .example = "\"souk-customer\"")

/* False after refusing the request with a 400 that names the field. */
bool	 new_password_is_acceptable(struct req *, const char *field, const char *password);

#endif
