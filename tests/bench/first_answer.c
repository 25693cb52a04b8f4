/*
 * first_answer RUNS BINARY METHOD URI [NAME=VALUE...]
 *
 * Starts a function as the supervisor does and asks it for something at once.
 * Prints how many microseconds passed from its exec to the end of its answer,
 * one line a run.  NAME=VALUE are further FastCGI variables of the request.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	BEGIN_RECORD = 1, PARAMS_RECORD = 4, STDIN_RECORD = 5,
	ROLE_RESPONDER = 1,
	ROOM = 8192
};

struct message { unsigned char bytes[ROOM]; size_t length; };

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "first_answer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
put(struct message *m, const void *bytes, size_t n)
{
	if (n > ROOM - m->length) {
		errno = EMSGSIZE;
		die("the request");
	}
	memcpy(m->bytes + m->length, bytes, n);
	m->length += n;
}

static void
put_record(struct message *m, unsigned char type, const void *content, size_t n)
{
	const unsigned char header[8] = { 1, type, 0, 1,
	    (unsigned char)(n >> 8), (unsigned char)n, 0, 0 };

	put(m, header, sizeof(header));
	put(m, content, n);
}

static void
put_length(struct message *m, size_t n)
{
	const unsigned char four[4] = { (unsigned char)(n >> 24 | 0x80),
	    (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n };

	put(m, four, sizeof(four));
}

static void
put_variable(struct message *m, const char *name, size_t n, const char *value)
{
	put_length(m, n);
	put_length(m, strlen(value));
	put(m, name, n);
	put(m, value, strlen(value));
}

static void
make_request(struct message *m, const char *method, const char *uri, char **more)
{
	static const unsigned char begin[8] = { 0, ROLE_RESPONDER };
	static struct message variables;

	variables.length = m->length = 0;
	put_variable(&variables, "REQUEST_METHOD", 14, method);
	put_variable(&variables, "REQUEST_URI", 11, uri);
	put_variable(&variables, "REMOTE_ADDR", 11, "127.0.0.1");
	for (; *more != NULL; more++) {
		const char *equals = strchr(*more, '=');

		if (equals != NULL)
			put_variable(&variables, *more, (size_t)(equals - *more), equals + 1);
	}
	put_record(m, BEGIN_RECORD, begin, sizeof(begin));
	put_record(m, PARAMS_RECORD, variables.bytes, variables.length);
	put_record(m, PARAMS_RECORD, "", 0);
	put_record(m, STDIN_RECORD, "", 0);
}

static int
listen_at(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(address->sun_path);
	if (fd < 0 || bind(fd, (const void *)address, sizeof(*address)) != 0 ||
	    listen(fd, 16) != 0)
		die(address->sun_path);
	return fd;
}

/* Its own process group, so that its workers can be ended with it. */
static pid_t
start(int listening, const char *binary)
{
	pid_t child = fork();
	int nowhere;

	if (child != 0)
		return child;
	setpgid(0, 0);
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(listening, STDIN_FILENO);
	dup2(nowhere, STDOUT_FILENO);
	dup2(nowhere, STDERR_FILENO);
	execl(binary, binary, (char *)NULL);
	_exit(127);
}

/* The whole conversation; what was answered first is in `answer`. */
static void
ask(const struct sockaddr_un *address, const struct message *request,
    struct message *answer)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { 10, 0 };
	unsigned char rest[ROOM];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd < 0 || connect(fd, (const void *)address, sizeof(*address)) != 0 ||
	    write(fd, request->bytes, request->length) != (ssize_t)request->length)
		die("asking");
	answer->length = 0;
	while ((n = read(fd, rest, sizeof(rest))) > 0)
		if ((size_t)n <= ROOM - 1 - answer->length)
			put(answer, rest, (size_t)n);
	if (n < 0)
		die("the answer");
	answer->bytes[answer->length] = '\0';
	close(fd);
}

static void
measure(const struct sockaddr_un *address, const char *binary,
    const struct message *request)
{
	static struct message answer;
	int listening = listen_at(address);
	uint64_t begun = now_us();
	pid_t child = start(listening, binary);

	if (child < 0)
		die("fork");
	ask(address, request, &answer);
	printf("%llu\n", (unsigned long long)(now_us() - begun));
	kill(-child, SIGKILL);
	waitpid(child, NULL, 0);
	close(listening);
	unlink(address->sun_path);
	if (answer.length < 20 || memcmp(answer.bytes + 8, "Status: 2", 9) != 0) {
		fprintf(stderr, "first_answer: not a 2xx: %.200s\n", answer.bytes + 8);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	static struct message request;

	if (argc < 5) {
		fprintf(stderr, "usage: first_answer RUNS BINARY METHOD URI [NAME=VALUE...]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	make_request(&request, argv[3], argv[4], argv + 5);
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/first_answer.%ld",
	    (long)getpid());
	for (int i = atoi(argv[1]); i > 0; i--)
		measure(&address, argv[2], &request);
	return 0;
}
