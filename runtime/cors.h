/*
 * cors.h -- what browsers let pages of other origins read.
 */
#ifndef CORS_H
#define CORS_H

#include "request.h"

/* On every answer: whether the request's origin may read it. */
void	 cors_add(struct req *);

#endif
