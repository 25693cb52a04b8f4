/*
 * curl_http.h -- libcurl, held to HTTP; and whom it speaks with.
 */
#ifndef CURL_HTTP_H
#define CURL_HTTP_H

#include "fn.h"

#include <curl/curl.h>

/* No other protocol, however a configured URL or a redirect is spelled, and no
 * proxy from the environment. */
void	 curl_only_http(CURL *);

/* The host of a URL, without the secrets that may be in it. */
const char *curl_host(struct req *, const char *url);

#endif
