/*
 * response.h -- the reply as CGI text (RFC 3875, 6).
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include "request.h"

const char	*response_text(struct req *, size_t *n);

#endif
