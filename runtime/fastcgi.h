/*
 * fastcgi.h -- the ways a request comes in.
 */
#ifndef FASTCGI_H
#define FASTCGI_H

/* A worker: serves the listening socket on fd 0 until SIGTERM or its share of
 * requests.  Returns the process's exit status. */
int	 fastcgi_serve(int slot);
/* Runs the endpoints that have .every_s, each on its schedule. */
int	 fastcgi_schedule(void);
/* Whether fd 0 is a listening socket (FastCGI) or not (CGI). */
int	 fastcgi_is_available(void);

/* One request from the environment and standard input (RFC 3875). */
int	 cgi_serve(void);
/* METHOD PATH from the command line, the body from standard input; writes the
 * answer's body.  The caller is this machine's operator: 0 for a 2xx. */
int	 cgi_once(const char *method, const char *path);

#endif
