#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

SSL_CTX *
tls_trusting(const char *authorities)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    (authorities == NULL ? SSL_CTX_set_default_verify_paths(ctx)
	    : SSL_CTX_load_verify_locations(ctx, authorities, NULL)) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return NULL;
}

const char *
tls_problem(const SSL *tls, int result)
{
	int error = errno, why = SSL_get_error(tls, result);
	long verified = SSL_get_verify_result(tls);
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	if (why == SSL_ERROR_ZERO_RETURN)
		return "the server has closed the connection";
	if (why == SSL_ERROR_SSL && reason != NULL)
		return reason;
	return error == 0 ? "the connection was cut" : strerror(error);
}

SSL *
tls_open(SSL_CTX *ctx, int fd, const char *host, const char **problem)
{
	SSL *tls = ctx == NULL ? NULL : SSL_new(ctx);
	int result = 0;
	bool good;

	*problem = "there are no certificates to trust";
	if (tls == NULL)
		return NULL;
	good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1 ||
	    (SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1);
	ERR_clear_error();
	errno = 0;
	if (good && SSL_set_fd(tls, fd) == 1)
		result = SSL_connect(tls);
	if (result == 1)
		return tls;
	*problem = tls_problem(tls, result);
	SSL_free(tls);
	return NULL;
}
