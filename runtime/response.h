/*
 * response.h -- the reply as CGI text (RFC 3875, 6).
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include "request.h"

/* Up to and with the empty line. */
const char	*response_head(struct req *, size_t *n);
const char	*response_body(const struct req *, size_t *n);

#endif
