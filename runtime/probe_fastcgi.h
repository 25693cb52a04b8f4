/*
 * probe_fastcgi.h -- the one FastCGI request that a health check needs.
 */
#ifndef PROBE_FASTCGI_H
#define PROBE_FASTCGI_H

#include <stddef.h>

enum { FASTCGI_REQUEST_MAX = 512 };

/* Writes the records of GET /health and returns their length. */
size_t	fastcgi_health_request(unsigned char out[FASTCGI_REQUEST_MAX]);
/*
 * The HTTP status in the records received so far: 0 while it is not known yet,
 * -1 when they are no answer.
 */
int	fastcgi_status(const unsigned char *in, size_t length);

#endif
