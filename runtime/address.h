/*
 * address.h -- who the client is, and lists of addresses in settings.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include "request.h"

/* The client's address: REMOTE_ADDR, or where that is a trusted proxy, the
 * last address of X-Forwarded-For that is not one. */
const char	*address_of_client(struct req *);
/* What limits count: the address, or an IPv6 one's /64, a subscriber's own. */
const char	*address_for_limits(struct req *);
bool		 address_is_operator(const char *address);

#endif
