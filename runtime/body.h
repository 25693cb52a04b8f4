/*
 * body.h -- a JSON body within hard bounds.
 *
 * cJSON does the parsing.  Before it, one pass over the bytes refuses what
 * cJSON is lenient about (invalid UTF-8, control characters, numbers like 01,
 * depth, sheer count) and notes the text of every number, because cJSON keeps
 * only a double of it.
 */
#ifndef BODY_H
#define BODY_H

#include "request.h"

#include <cjson/cJSON.h>

enum {
	MAX_JSON_DEPTH = 32,
	MAX_JSON_VALUES = 10000,
	MAX_JSON_MEMBERS = 200,
	MAX_EXCERPT = 100		/* bytes */
};

/*
 * The root, or NULL with *problem saying what is wrong.  The valuestring of a
 * number is its text as sent.  Lives in the request's arena.
 */
cJSON	*body_parse(struct req *, const char *bytes, size_t n, const char **problem);

/* As much of a client's text as a message quotes, in whole characters. */
const char *body_excerpt(struct req *, const char *);

#endif
