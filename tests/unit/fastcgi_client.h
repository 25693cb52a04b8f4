/*
 * fastcgi_client.h -- the web server's side of FastCGI 1.0, as bytes.
 */
#ifndef FASTCGI_CLIENT_H
#define FASTCGI_CLIENT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

struct answer {
	bool		 whole;		/* it ended as an answer should */
	int		 status;
	const char	*body;		/* ends with NUL as well */
	size_t		 body_length;
};

/* Bytes a write, where not 0. */
static size_t client_piece;

static inline int
client_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { 20, 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

/* False when the other side does not listen any more, which it may. */
static inline bool
client_send(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n > 0) {
		size_t piece = client_piece > 0 && client_piece < n ? client_piece : n;
		ssize_t sent = send(fd, at, piece, MSG_NOSIGNAL);

		if (sent < 0) {
			assert_true(errno == EPIPE || errno == ECONNRESET);
			return false;
		}
		at += sent;
		n -= (size_t)sent;
	}
	return true;
}

static inline bool
client_record(int fd, int type, const void *content, size_t n)
{
	size_t padding = -n & 7;
	const unsigned char header[8] = { 1, (unsigned char)type, 0, 1,
	    (unsigned char)(n >> 8), (unsigned char)n, (unsigned char)padding, 0 };

	return client_send(fd, header, sizeof(header)) && client_send(fd, content, n) &&
	    client_send(fd, "\0\0\0\0\0\0\0", padding);
}

static inline char *
client_put_length(char *at, size_t n)
{
	if (n > 127) {
		*at++ = (char)(n >> 24 | 0x80);
		*at++ = (char)(n >> 16);
		*at++ = (char)(n >> 8);
	}
	*at++ = (char)n;
	return at;
}

static inline char *
client_put_variable(char *at, const char *name, const char *value)
{
	at = client_put_length(at, strlen(name));
	at = client_put_length(at, strlen(value));
	return stpcpy(stpcpy(at, name), value);
}

/* Everything before the body; name may be NULL. */
static inline void
client_begin(int fd, const char *method, const char *target, const char *name,
    const char *value)
{
	static char variables[64 << 10];
	char *at = variables;

	at = client_put_variable(at, "REQUEST_METHOD", method);
	at = client_put_variable(at, "REQUEST_URI", target);
	at = client_put_variable(at, "REMOTE_ADDR", "127.0.0.1");
	if (name != NULL)
		at = client_put_variable(at, name, value);
	/* Role 1, responder; the connection is closed after it. */
	client_record(fd, BEGIN_REQUEST, "\0\1\0\0\0\0\0\0", 8);
	client_record(fd, PARAMS, variables, (size_t)(at - variables));
	client_record(fd, PARAMS, "", 0);
}

static inline void
client_body(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t piece = n < 65535 ? n : 65535;

		if (!client_record(fd, STDIN, bytes, piece))
			return;
		bytes += piece;
		n -= piece;
	}
}

static inline void
client_end(int fd)
{
	client_record(fd, STDIN, "", 0);
}

/* All that comes until the other side closes. */
static inline size_t
client_drain(int fd, unsigned char *to, size_t room)
{
	size_t length = 0;
	ssize_t n;

	while ((n = recv(fd, to + length, room - length, 0)) > 0)
		length += (size_t)n;
	assert_true(n == 0 || errno == ECONNRESET);
	close(fd);
	return length;
}

static inline const struct answer *
client_read(int fd)
{
	static unsigned char in[6 << 20];
	static char text[6 << 20];
	static struct answer answer;
	size_t received = client_drain(fd, in, sizeof(in)), at = 0, length = 0;
	bool out_ended = false;
	char *end;

	answer = (struct answer){ .body = "" };
	while (received - at >= 8) {
		size_t n = (size_t)(in[at + 4] << 8 | in[at + 5]), whole = 8 + n + in[at + 6];

		assert_int_equal(in[at], 1);
		assert_int_equal(in[at + 2] << 8 | in[at + 3], 1);
		assert_true(whole <= received - at);
		assert_false(answer.whole);
		if (in[at + 1] == STDOUT) {
			assert_false(out_ended);
			memcpy(text + length, in + at + 8, n);
			length += n;
			out_ended = n == 0;
		} else {
			/* Application status 0, request complete. */
			assert_int_equal(in[at + 1], END_REQUEST);
			assert_memory_equal(in + at + 8, "\0\0\0\0\0", 5);
			assert_true(out_ended);
			answer.whole = true;
		}
		at += whole;
	}
	assert_int_equal(at, received);
	text[length] = '\0';
	if (strncmp(text, "Status: ", 8) == 0)
		answer.status = (int)strtol(text + 8, NULL, 10);
	if ((end = strstr(text, "\r\n\r\n")) != NULL) {
		answer.body = end + 4;
		answer.body_length = length - (size_t)(end + 4 - text);
	}
	return &answer;
}

#endif
