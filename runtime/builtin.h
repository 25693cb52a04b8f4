/*
 * builtin.h -- /health and /ready, which every binary answers.
 */
#ifndef BUILTIN_H
#define BUILTIN_H

#include "request.h"

bool	 builtin_answers(struct req *);

#endif
