/*
 * check.h -- one value against its field.
 */
#ifndef CHECK_H
#define CHECK_H

#include "body.h"

/* A value as it came: text of the path, query or form, or a node of the body. */
struct value {
	const char *text;
	const cJSON *node;
};

/* The canonical text of the value; NULL after naming what is wrong with it.
 * name is the field's full name, such as items[0].quantity. */
const char	*check_value(struct req *, const struct field *, const char *name,
		    struct value);
/* Names every member of object that is not one of the body fields. */
void		 check_unknown(struct req *, const struct field *, const cJSON *object,
		    const char *prefix);
const struct field *check_find(const struct field *, enum where, const char *name);
/* An object's member, unless it is null. */
const cJSON	*check_member(const cJSON *object, const char *name);

#endif
