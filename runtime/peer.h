/*
 * peer.h -- connections that are kept between requests.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>

/*
 * Whether the other side of an idle connection has closed it, or said its last
 * word.  Asked before the first use in a request: a server that was restarted
 * since then costs nobody an error, and nothing has to be sent twice.
 */
bool	 peer_is_gone(int fd);

#endif
