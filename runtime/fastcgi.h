/*
 * fastcgi.h -- the ways a request comes in.
 */
#ifndef FASTCGI_H
#define FASTCGI_H

#include <stdbool.h>
#include <stdint.h>

/* A worker: serves the listening socket on fd 0 until SIGTERM, its share of
 * requests or, where nobody is over it, FN_SLEEP_S without one.  Returns the
 * process's exit status. */
int	 fastcgi_serve(int slot);
/* Answers for workers that have no time: a connection accepted from their socket
 * is told to try again, and closed. */
void	 fastcgi_turn_away(int fd);
/*
 * Whether workers may be sent home when all of them have been idle for
 * patience_ms, and since when they have been, in milliseconds of the monotonic
 * clock.  The question comes before they are forked, who then keep the time
 * together.
 */
bool	 fastcgi_may_sleep(int64_t *patience_ms);
int64_t	 fastcgi_idle_since(void);
/* Runs the endpoints that have .every_s, each on its schedule, until SIGTERM. */
int	 fastcgi_schedule(void);
/* The same for so many seconds, the run under way then included; 1 when the
 * last run failed. */
int	 fastcgi_schedule_for(int seconds);
/* Runs those that have .helpers whenever one of them calls for help.  The bell
 * that calls must hang before the processes fork. */
int	 fastcgi_help(void);
void	 fastcgi_hang_bell(void);
/* Whether fd 0 is a listening socket (FastCGI) or not (CGI). */
int	 fastcgi_is_available(void);

/* One request from the environment and standard input (RFC 3875). */
int	 cgi_serve(void);
/* METHOD PATH from the command line, the body from standard input; writes the
 * answer's body.  The caller is this machine's operator: 0 for a 2xx. */
int	 cgi_once(const char *method, const char *path);

#endif
