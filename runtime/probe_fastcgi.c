#include "probe_fastcgi.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum record { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };
enum { VERSION = 1, REQUEST_ID = 1, RESPONDER = 1, HEADER = 8 };

static const char *const params[][2] = {
	{ "REQUEST_METHOD", "GET" },
	{ "REQUEST_URI", "/health" },
	{ "SCRIPT_NAME", "/health" },
	{ "QUERY_STRING", "" },
	{ "SERVER_PROTOCOL", "HTTP/1.1" },
	{ "GATEWAY_INTERFACE", "CGI/1.1" },
	{ "SERVER_NAME", "localhost" },
	{ "REMOTE_ADDR", "127.0.0.1" },
};

static unsigned char *
put_header(unsigned char *at, enum record type, size_t length)
{
	*at++ = VERSION;
	*at++ = (unsigned char)type;
	*at++ = 0;
	*at++ = REQUEST_ID;
	*at++ = (unsigned char)(length >> 8);
	*at++ = (unsigned char)length;
	*at++ = 0;		/* no padding */
	*at++ = 0;
	return at;
}

static unsigned char *
put_param(unsigned char *at, const char *name, const char *value)
{
	*at++ = (unsigned char)strlen(name);
	*at++ = (unsigned char)strlen(value);
	at = (unsigned char *)stpcpy((char *)at, name);
	return (unsigned char *)stpcpy((char *)at, value);
}

static size_t
params_length(void)
{
	size_t length = 0;

	for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++)
		length += 2 + strlen(params[i][0]) + strlen(params[i][1]);
	return length;
}

size_t
fastcgi_health_request(unsigned char out[FASTCGI_REQUEST_MAX])
{
	unsigned char *at = put_header(out, BEGIN_REQUEST, 8);

	assert(params_length() + 5 * HEADER + 8 < FASTCGI_REQUEST_MAX);
	memset(at, 0, 8);
	at[1] = RESPONDER;	/* and no flag: the connection is closed after it */
	at = put_header(at + 8, PARAMS, params_length());
	for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++)
		at = put_param(at, params[i][0], params[i][1]);
	at = put_header(at, PARAMS, 0);
	at = put_header(at, STDIN, 0);
	return (size_t)(at - out);
}

/* A CGI answer without a Status line is 200. */
static int
status_of(const char *cgi, size_t length)
{
	char digits[4] = "";

	if (length < 11 || strncasecmp(cgi, "Status: ", 8) != 0)
		return 200;
	memcpy(digits, cgi + 8, 3);
	return atoi(digits);
}

int
fastcgi_status(const unsigned char *in, size_t length)
{
	while (length >= HEADER) {
		size_t content = (size_t)in[4] << 8 | in[5];
		size_t record = HEADER + content + in[6];

		if (in[0] != VERSION || in[1] == END_REQUEST)
			return -1;
		if (in[1] == STDOUT && content > 0) {
			/* Enough for a Status line, which comes first. */
			if (length < HEADER + (content < 11 ? content : 11))
				return 0;
			return status_of((const char *)in + HEADER, content);
		}
		if (length < record)
			return 0;
		in += record;
		length -= record;
	}
	return 0;
}
