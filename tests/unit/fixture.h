/*
 * fixture.h -- what the tests of the runtime share: a request made by hand,
 * and a look at what is written to standard error.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#undef fail		/* ours is the runtime's */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* One request at a time, as in a worker. */
static struct req it;

struct sent {
	const char	*method, *uri, *type, *body;
	size_t		 length;		/* 0: of the body's text */
	const char	*variables[8];
	bool		 too_large, cut_short;
};

/* Begins it with what was sent; ends the one before. */
static inline void
begin(const struct sent *s)
{
	struct incoming in = { .body = s->body == NULL ? "" : s->body,
	    .too_large = s->too_large, .cut_short = s->cut_short };
	char **variables;

	request_end(&it);
	in.body_length = s->length > 0 ? s->length : strlen(in.body);
	variables = arena_alloc(&it.arena, sizeof(s->variables) + sizeof(char *));
	for (size_t i = 0; s->variables[i] != NULL; i++)
		variables[i] = arena_copy(&it.arena, s->variables[i], strlen(s->variables[i]));
	in.variables = variables;
	request_begin(&it, &in);
	it.method = s->method;
	it.uri = s->uri;
	it.content_type = s->type;
	it.query_string = "";
}

#define BEGIN(...)	begin(&(struct sent){ __VA_ARGS__ })

/* The input after everything up to the handler; NULL where that is refused. */
static inline const void *
read_input(const struct sent *s)
{
	const char *allow;

	begin(s);
	assert_true(request_parse_target(&it));
	it.entry = request_route(&it, &allow);
	assert_non_null(it.entry);
	input_read(&it);
	return req_failed(&it) ? NULL : req_input(&it);
}

#define READ(...)	read_input(&(struct sent){ __VA_ARGS__ })

/* The code a field was refused with, "" where it was not. */
static inline const char *
field_code(const char *field)
{
	for (const struct field_error *e = it.field_errors; e != NULL; e = e->next)
		if (strcmp(e->field, field) == 0)
			return e->code;
	return "";
}

/* A group's teardown: the block that a worker would keep for the next one. */
static inline int
finish(void **state)
{
	(void)state;
	request_end(&it);
	free(it.arena.blocks);
	it.arena = (struct arena){ 0 };
	return 0;
}

static int kept_stderr = -1, captured_stderr = -1;

static inline void
capture(void)
{
	captured_stderr = memfd_create("stderr", MFD_CLOEXEC);
	kept_stderr = dup(STDERR_FILENO);
	dup2(captured_stderr, STDERR_FILENO);
}

/* What was written to standard error since capture(). */
static inline const char *
captured(void)
{
	static char text[64 << 10];
	ssize_t n = pread(captured_stderr, text, sizeof(text) - 1, 0);

	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	close(captured_stderr);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* The wait status of a child that does the work and leaves. */
static inline int
in_child(int (*work)(void))
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(work());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

extern bool (*const __start_startups[])(void) __attribute__((weak));
extern bool (*const __stop_startups[])(void) __attribute__((weak));

/* What main() does before it serves. */
static inline bool
run_startups(void)
{
	for (bool (*const *at)(void) = __start_startups; at < __stop_startups; at++)
		if (!(*at)())
			return false;
	return true;
}

#endif
