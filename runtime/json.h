/*
 * json.h -- a shorthand over the writer of fn.h.
 */
#ifndef JSON_H
#define JSON_H

#include "fn.h"

void	 json_member(struct json *, const char *key, const char *value);

#endif
