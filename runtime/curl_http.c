#include "curl_http.h"

void
curl_only_http(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500	/* 7.85; Ubuntu 22.04 has 7.81 */
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
}
