#include "curl_http.h"

#include <string.h>

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

const char *
curl_host(struct req *rq, const char *url)
{
	const char *at = strstr(url, "://"), *user;
	size_t n;

	at = at == NULL ? url : at + strlen("://");
	n = strcspn(at, "/?#");
	user = memrchr(at, '@', n);
	if (user != NULL) {
		n -= (size_t)(user + 1 - at);
		at = user + 1;
	}
	if (*at == '[' && memchr(at, ']', n) != NULL)
		return fmt(rq, "%.*s", (int)strcspn(at, "]") - 1, at + 1);
	return fmt(rq, "%.*s", (int)(strcspn(at, ":") < n ? strcspn(at, ":") : n), at);
}
