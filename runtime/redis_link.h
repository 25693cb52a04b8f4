/*
 * redis_link.h -- one connection to Redis: over a Unix socket, TCP or TLS.
 *
 * hiredis 0.14 is what Debian 12 has, and knows no TLS.  So it keeps the socket,
 * what is to be sent and the parser, and over TLS the bytes go through OpenSSL
 * here.
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include <hiredis/hiredis.h>

struct redis_link;

/* Connects as the URL says and signs in; NULL with *problem saying why not. */
struct redis_link *redis_link_open(const char *url, const char **problem);
void	 redis_link_close(struct redis_link *);		/* NULL is none */
int	 redis_link_fd(const struct redis_link *);
/* Of the last failure. */
const char *redis_link_problem(const struct redis_link *);

/* A command of n words, to be sent with the next wait for a reply. */
void	 redis_link_add(struct redis_link *, int n, const char *const *words, const size_t *lengths);
/* Waits for the next reply, the caller's from then on. */
bool	 redis_link_reply(struct redis_link *, redisReply **);
/* Reads what has arrived; then each redis_link_next() is one of it, or NULL. */
bool	 redis_link_read(struct redis_link *);
bool	 redis_link_next(struct redis_link *, redisReply **);

#endif
