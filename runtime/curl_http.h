/*
 * curl_http.h -- libcurl, held to HTTP.
 */
#ifndef CURL_HTTP_H
#define CURL_HTTP_H

#include <curl/curl.h>

/* No other protocol, however a configured URL or a redirect is spelled, and no
 * proxy from the environment. */
void	 curl_only_http(CURL *);

#endif
