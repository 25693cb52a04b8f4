/*
 * tls.h -- TLS 1.2 or newer, with whoever can show a certificate for the host that
 * was asked for.  By OpenSSL, which libpq brings along anyway.
 */
#ifndef TLS_H
#define TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* Who trusts the certificates (PEM) of that file, or of the system where it is
 * NULL; NULL when there are none. */
SSL_CTX	*tls_trusting(const char *authorities);

/* Over a connected socket, to a host by name or address; the caller frees it.
 * NULL with *problem saying why not, of static memory. */
SSL	*tls_open(SSL_CTX *, int fd, const char *host, const char **problem);

/* What went wrong with the call that returned this. */
const char *tls_problem(const SSL *, int result);

#endif
