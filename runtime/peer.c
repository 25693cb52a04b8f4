#include "peer.h"

#include <errno.h>
#include <sys/socket.h>

bool
peer_is_gone(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	    (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}
