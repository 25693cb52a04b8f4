/*
 * Plain CGI, and one request from the shell.
 */
#include "fastcgi.h"
#include "response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void
read_input(struct req *rq, struct incoming *in, size_t most)
{
	size_t limit = request_body_limit_of_all();
	char *body;

	most = most < limit + 1 ? most : limit + 1;
	in->body = body = arena_alloc(&rq->arena, most + 1);
	in->body_length = fread(body, 1, most, stdin);
	in->too_large = in->body_length > limit;
}

int
cgi_serve(void)
{
	static struct req rq;
	const char *announced = getenv("CONTENT_LENGTH"), *bytes;
	struct incoming in = { .variables = environ, .body = "" };
	size_t n = announced == NULL ? 0 : strtoull(announced, NULL, 10);

	if (n > 0) {
		read_input(&rq, &in, n);
		in.cut_short = !in.too_large && in.body_length < n;
	}
	request_begin(&rq, &in);
	dispatch(&rq);
	bytes = response_head(&rq, &n);
	fwrite(bytes, 1, n, stdout);
	bytes = response_body(&rq, &n);
	fwrite(bytes, 1, n, stdout);
	fflush(stdout);
	dispatch_after(&rq);
	return 0;
}

int
cgi_once(const char *method, const char *path)
{
	static struct req rq;
	struct incoming in = { .variables = environ, .body = "" };

	if (!isatty(STDIN_FILENO))
		read_input(&rq, &in, SIZE_MAX);
	setenv("REQUEST_METHOD", method, 1);
	setenv("REQUEST_URI", path, 1);
	in.variables = environ;
	request_begin(&rq, &in);
	if (rq.content_type == NULL)
		rq.content_type = "application/json";
	if (rq.remote_address == NULL)
		rq.remote_address = "127.0.0.1";
	rq.trusted = true;
	dispatch(&rq);
	fwrite(rq.body_out, 1, rq.body_out_length, stdout);
	putchar('\n');
	fflush(stdout);
	dispatch_after(&rq);
	return rq.status >= 200 && rq.status < 300 ? 0 : 1;
}
