/*
 * objects_s3.h -- the object store in S3's language, for objects.c.
 */
#ifndef OBJECTS_S3_H
#define OBJECTS_S3_H

#include "objects.h"

bool	 s3_is_configured(void);
bool	 s3_put(struct req *, const struct object *);
bool	 s3_delete(struct req *, const char *key);
bool	 s3_get(struct req *, struct object *);

#endif
