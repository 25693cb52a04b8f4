#include "otlp_post.h"
#include "keeper.h"
#include "peer.h"
#include "tls.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int connection = -1;
static SSL *tls;			/* NULL: in the clear */

static void
hang_up(void)
{
	SSL_free(tls);
	tls = NULL;
	if (connection >= 0)
		close(connection);
	connection = -1;
}

static bool
connect_to(const struct otlp_collector *to, int64_t ms, const char **problem)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const struct timeval patience = { ms / 1000, ms % 1000 * 1000 };
	struct addrinfo *all;
	int result = getaddrinfo(to->host, to->port, &hints, &all);

	if (result != 0) {
		*problem = gai_strerror(result);
		return false;
	}
	for (const struct addrinfo *a = all; a != NULL && connection < 0; a = a->ai_next) {
		connection = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (connection >= 0 && connect(connection, a->ai_addr, a->ai_addrlen) == 0)
			break;
		*problem = errno == EINPROGRESS ? "it does not answer" : strerror(errno);
		hang_up();
	}
	freeaddrinfo(all);
	return connection >= 0;
}

/* What is trusted is read when it is needed, and again after a failure: the file
 * may have been renewed. */
static bool
encrypt(const struct otlp_collector *to, const char **problem)
{
	static SSL_CTX *ctx;

	if (ctx == NULL)
		ctx = tls_trusting(to->authorities);
	tls = tls_open(ctx, connection, to->host, problem);
	if (tls != NULL)
		return true;
	SSL_CTX_free(ctx);
	ctx = NULL;
	return false;
}

static ssize_t
give(const char *bytes, size_t n)
{
	size_t given;

	if (tls == NULL)
		return send(connection, bytes, n, MSG_NOSIGNAL);
	return SSL_write_ex(tls, bytes, n, &given) == 1 ? (ssize_t)given : -1;
}

static ssize_t
take(char *bytes, size_t room)
{
	size_t taken;

	if (tls == NULL)
		return recv(connection, bytes, room, 0);
	return SSL_read_ex(tls, bytes, room, &taken) == 1 ? (ssize_t)taken : -1;
}

static bool
give_all(const char *bytes, size_t n)
{
	for (size_t done = 0; done < n; ) {
		ssize_t given = give(bytes + done, n - done);

		if (given <= 0)
			return false;
		done += (size_t)given;
	}
	return true;
}

static bool
write_request(const struct otlp_collector *to, const struct iovec *parts, size_t n)
{
	char head[sizeof(to->headers) + sizeof(to->path) + sizeof(to->host) + 256];
	bool is_address = strchr(to->host, ':') != NULL;
	size_t length = 0;
	bool good;

	for (size_t i = 0; i < n; i++)
		length += parts[i].iov_len;
	good = give_all(head, (size_t)snprintf(head, sizeof(head),
	    "POST %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: souk\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", to->path,
	    is_address ? "[" : "", to->host, is_address ? "]" : "", to->port, length, to->headers));
	for (size_t i = 0; good && i < n; i++)
		good = give_all(parts[i].iov_base, parts[i].iov_len);
	return good;
}

const char *
otlp_header(const char *answer, const char *name)
{
	const char *end = strstr(answer, "\r\n\r\n"), *at = end == NULL ? NULL : answer;

	while (at != NULL && (at = strstr(at, "\r\n")) != end) {
		at += strlen("\r\n");
		if (strncasecmp(at, name, strlen(name)) == 0) {
			at += strlen(name);
			return at + strspn(at, " \t");
		}
	}
	return NULL;
}

static bool
ends_with(const char *s, size_t n, const char *end)
{
	return n >= strlen(end) && strcmp(s + n - strlen(end), end) == 0;
}

/* Is all of it there?  *last: it says of itself that nothing comes after it. */
static bool
is_whole(const char *answer, size_t n, bool *last)
{
	const char *end = strstr(answer, "\r\n\r\n"), *length, *coding, *after;

	if (end == NULL)
		return false;
	length = otlp_header(answer, "Content-Length:");
	coding = otlp_header(answer, "Transfer-Encoding:");
	after = otlp_header(answer, "Connection:");
	*last = after != NULL && strncasecmp(after, "close", strlen("close")) == 0;
	if (coding != NULL && strncasecmp(coding, "chunked", strlen("chunked")) == 0)
		return ends_with(answer, n, "\r\n0\r\n\r\n");
	*last = *last || length == NULL;
	return length == NULL || n - (size_t)(end + 4 - answer) >= strtoul(length, NULL, 10);
}

/* One that is longer than we read is the last of its connection. */
static int
read_answer(char *answer, int64_t until)
{
	size_t n = 0;
	bool whole = false, last = false;

	while (!whole && n < OTLP_ANSWER && keeper_now() < until) {
		ssize_t got = take(answer + n, OTLP_ANSWER - n);

		if (got <= 0)
			break;
		n += (size_t)got;
		answer[n] = '\0';
		whole = is_whole(answer, n, &last);
	}
	if (!whole || last)
		hang_up();
	return strncmp(answer, "HTTP/1.", 7) == 0 && strstr(answer, "\r\n\r\n") > answer + 9
	    ? atoi(answer + 9) : 0;
}

int
otlp_post(const struct otlp_collector *to, const struct iovec *parts, size_t n, bool hurry,
    char answer[static OTLP_ANSWER + 1], const char **problem)
{
	enum { HURRY_MS = 1000 };
	int64_t ms = hurry && to->patience_ms > HURRY_MS ? HURRY_MS : to->patience_ms;
	int status = 0;

	*answer = '\0';
	*problem = "it does not answer";
	if (connection >= 0 && (hurry || peer_is_gone(connection)))
		hang_up();
	if ((connection >= 0 || (connect_to(to, ms, problem) &&
	    (!to->tls || encrypt(to, problem)))) && write_request(to, parts, n))
		status = read_answer(answer, keeper_now() + ms);
	if (status == 0)
		hang_up();
	return status;
}
