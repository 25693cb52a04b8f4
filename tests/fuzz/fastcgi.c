/*
 * The worker's end of FastCGI, over a real socket.
 *
 * The bytes are pieces, each a kind, a length of two bytes, and content: a
 * record of that type (a kind from 1 to 11), variables as lines "NAME=value"
 * ('v'), or bytes for the socket as they are (anything else).  Whatever comes,
 * the answer is none at all or whole, with a declared status, and the
 * connection is closed.
 *
 * libfcgi asks for as much memory as a variable's length says and gives up
 * where there is none; only the gateway could say so much.  So no byte of a
 * length, wherever one may be read, has its highest bit set.
 */
#include "fuzz.h"

#include "../../runtime/fastcgi.c"

enum { MOST_SENT = 64 << 10, CANT_MULTIPLEX = 1, LENGTHS = 0x7f7f };

struct input { const char *name; };

ENDPOINT(echo) = {
	.method = HTTP_POST, .path = "/echo", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.raw_body = true,
};

ENDPOINT(big) = {
	.method = HTTP_GET, .path = "/big", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.input = FIELDS(PARAM(name, STR, "Words", .max = 10)),
};

/* libfcgi forgets to free what it reads of a management record it does not know,
 * 48 bytes; only the gateway could send one.  The rest it has, we give back. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libfcgi.so";
}

static struct status
echo(struct req *rq)
{
	size_t n;
	const char *bytes = req_body(rq, &n);

	return reply_bytes(rq, 200, "application/octet-stream", bytes, n);
}

static struct status
big(struct req *rq)
{
	return reply_bytes(rq, 200, "application/octet-stream", mem(rq, 70000), 70000);
}

static struct { unsigned char bytes[MOST_SENT]; size_t n; } sent;

static void
send_bytes(const void *bytes, size_t n)
{
	if (n > sizeof(sent.bytes) - sent.n)
		n = sizeof(sent.bytes) - sent.n;
	memcpy(sent.bytes + sent.n, bytes, n);
	sent.n += n;
}

static void
send_record(unsigned char type, const void *content, size_t n)
{
	const unsigned char header[8] = { 1, type, 0, 1, (unsigned char)(n >> 8),
	    (unsigned char)n, 0, 0 };

	send_bytes(header, sizeof(header));
	send_bytes(content, n);
}

static size_t
put_length(unsigned char *to, size_t n)
{
	if (n < 128) {
		to[0] = (unsigned char)n;
		return 1;
	}
	to[0] = 0x80;
	to[1] = (unsigned char)(n >> 16);
	to[2] = (unsigned char)(n >> 8);
	to[3] = (unsigned char)n;
	return 4;
}

static void
send_variables(struct rest lines)
{
	static unsigned char pairs[MOST_SENT];
	size_t n = 0;

	while (lines.n > 0) {
		struct rest line = cut_line(&lines), name = line;
		const char *equals = line.n == 0 ? NULL : memchr(line.at, '=', line.n);

		name.n = equals == NULL ? line.n : (size_t)(equals - line.at);
		line.n -= name.n + (equals != NULL);
		line.at += name.n + (equals != NULL);
		name.n &= LENGTHS;
		line.n &= LENGTHS;
		if (n + name.n + line.n + 8 > LENGTHS)
			break;
		n += put_length(pairs + n, name.n);
		n += put_length(pairs + n, line.n);
		memcpy(pairs + n, name.at, name.n);
		n += name.n;
		memcpy(pairs + n, line.at, line.n);
		n += line.n;
	}
	send_record(4, pairs, n & LENGTHS);
}

static void
send_pieces(struct rest rest)
{
	sent.n = 0;
	while (rest.n >= 3) {
		unsigned char kind = (unsigned char)rest.at[0];
		struct rest piece = { rest.at + 3,
		    (size_t)((unsigned char)rest.at[1] << 8 | (unsigned char)rest.at[2]) };

		piece.n = (piece.n < rest.n - 3 ? piece.n : rest.n - 3) & LENGTHS;
		rest.at += 3 + piece.n;
		rest.n -= 3 + piece.n;
		if (kind == 'v')
			send_variables(piece);
		else if (kind >= 1 && kind <= 11)
			send_record(kind, piece.at, piece.n);
		else
			send_bytes(piece.at, piece.n);
	}
}

static size_t
read_answer(int fd, unsigned char *to, size_t room)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, to + n, room - n)) > 0)
		n += (size_t)got;
	MUST(got == 0 || errno == ECONNRESET);
	return n;
}

/* The head's text, and what follows it. */
static void
check_output(const char *text, size_t n)
{
	const char *end = memmem(text, n, "\r\n\r\n", 4), *length;
	char *after;

	MUST(end != NULL && strncmp(text, "Status: ", 8) == 0);
	it.status = (int)strtol(text + 8, &after, 10);
	MUST(*after == ' ' && STATUS_IS(200, 400, 404, 405, 413, 415, 503));
	length = memmem(text, (size_t)(end - text), "Content-Length: ", 16);
	MUST(length != NULL);
	n -= (size_t)(end + 4 - text);
	MUST(n == 0 || n == strtoul(length + 16, NULL, 10));
}

static void
check_answer(const unsigned char *in, size_t received)
{
	static char text[256 << 10];
	size_t at = 0, length = 0;
	bool ended = false, whole = false;

	while (at < received) {
		size_t n = received - at < 8 ? 0 : (size_t)(in[at + 4] << 8 | in[at + 5]);

		MUST(received - at >= 8 && in[at] == 1 && !whole);
		MUST(received - at - 8 >= n + in[at + 6]);
		/* libfcgi's own to a second beginning: it cannot multiplex. */
		if (in[at + 1] == END_RECORD && in[at + 12] == CANT_MULTIPLEX) {
			MUST(n == 8);
		} else if (in[at + 1] == STDOUT_RECORD && !ended) {
			memcpy(text + length, in + at + 8, n);
			length += n;
			ended = n == 0;
		} else if (in[at + 1] == END_RECORD) {
			whole = true;
		} else {
			/* libfcgi's own answers to what is not a request. */
			MUST(in[at + 1] == 10 || in[at + 1] == 11);
		}
		at += 8 + n + in[at + 6];
	}
	text[length] = '\0';
	if (length > 0) {
		MUST(ended && whole);
		check_output(text, length);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static unsigned char answer[256 << 10];
	static struct req rq;
	char *bytes = malloc(n + 1);
	FCGX_Request f;
	int ends[2];

	MUST(bytes != NULL);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(data[i] & 0x7f);
	send_pieces((struct rest){ bytes, n });
	free(bytes);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	MUST(write(ends[1], sent.bytes, sent.n) == (ssize_t)sent.n);
	MUST(shutdown(ends[1], SHUT_WR) == 0);
	MUST(FCGX_InitRequest(&f, -1, 0) == 0);
	/* The bit that no text has says whether there was a worker for it. */
	serve_one(&rq, &f, ends[0], n > 0 && data[0] & 0x80 ? dispatch_turn_away : dispatch);
	FCGX_Free(&f, 0);
	check_answer(answer, read_answer(ends[1], answer, sizeof(answer)));
	MUST(fcntl(ends[0], F_GETFD) < 0);
	close(ends[1]);
	return 0;
}

static void
set_up(void)
{
	start_up();
	MUST(log_open("fuzz", "error"));
	MUST(FCGX_Init() == 0);
	signal(SIGPIPE, SIG_IGN);
}
