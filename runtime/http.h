/*
 * http.h -- errors.def as a table.
 */
#ifndef HTTP_H
#define HTTP_H

#include "fn.h"

int		 error_status(enum err);
const char	*error_code(enum err);
const char	*error_text(enum err);
enum err	 error_named(const char *code);	/* ERR_NONE when there is none */

#endif
