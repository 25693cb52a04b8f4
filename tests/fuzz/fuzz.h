/*
 * fuzz.h -- what the targets share: a request made of any bytes, and a way to
 * say what must hold of what comes out.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "check.h"
#include "log.h"
#include "request.h"
#include "settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int	 LLVMFuzzerInitialize(int *, char ***);

#define MUST(condition)							\
	((condition) ? (void)0 : broken(#condition, __FILE__, __LINE__))

static inline _Noreturn void
broken(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

/* One request at a time, as in a worker. */
static struct req it;

static inline void
begin(const struct incoming *in)
{
	static char *const none[] = { NULL };
	struct incoming given = *in;

	request_end(&it);
	if (given.variables == NULL)
		given.variables = none;
	if (given.body == NULL)
		given.body = "";
	request_begin(&it, &given);
	it.query_string = "";
}

#define BEGIN(...)	begin(&(struct incoming){ __VA_ARGS__ })

/* What is left of the bytes; a line of them is taken with a NUL put on. */
struct rest { const char *at; size_t n; };

static inline struct rest
cut_line(struct rest *r)
{
	const char *end = r->n == 0 ? NULL : memchr(r->at, '\n', r->n);
	struct rest line = { r->at, end == NULL ? r->n : (size_t)(end - r->at) };

	r->at += line.n + (end != NULL);
	r->n -= line.n + (end != NULL);
	return line;
}

static inline char *
text_of(struct rest r)
{
	return arena_copy(&it.arena, r.at, r.n);
}

/* A copy that a sanitizer knows the end of; the caller frees it. */
static inline char *
exactly(struct rest r)
{
	char *copy = malloc(r.n == 0 ? 1 : r.n);

	MUST(copy != NULL);
	if (r.n > 0)
		memcpy(copy, r.at, r.n);
	return copy;
}

extern bool (*const __start_startups[])(void) __attribute__((weak));
extern bool (*const __stop_startups[])(void) __attribute__((weak));

/* What main() does before it serves.  A line for each refusal would be most of what
 * a run does; what is wrong with one is said by MUST(). */
static inline void
start_up(void)
{
	MUST(settings_read());
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	for (bool (*const *at)(void) = __start_startups; at < __stop_startups; at++)
		MUST((*at)());
}

/* Of the target: once, before anything else; it calls start_up(). */
static void set_up(void);

int
LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count;
	(void)arguments;
	set_up();
	return 0;
}

/* The declaration decides which refusals there may be. */
static inline bool
is_one_of(int status, const int *list)
{
	while (*list != 0 && *list != status)
		list++;
	return *list != 0;
}

#define STATUS_IS(...)	is_one_of(it.status, (const int[]){ __VA_ARGS__, 0 })

/* A refusal is whole: every text in it can be shown, and the problem document
 * is JSON that says the same. */
static inline void
check_refusal(void)
{
	const char *problem = NULL;
	const cJSON *root, *errors;
	size_t n = 0;

	MUST(it.decided && it.error != ERR_NONE && it.status >= 400);
	reply_finish(&it);
	root = body_parse(&it, it.body_out, it.body_out_length, &problem);
	MUST(root != NULL);
	MUST(cJSON_GetObjectItemCaseSensitive(root, "status")->valueint == it.status);
	MUST(*cJSON_GetObjectItemCaseSensitive(root, "detail")->valuestring != '\0');
	errors = cJSON_GetObjectItemCaseSensitive(root, "errors");
	for (const struct field_error *f = it.field_errors; f != NULL; f = f->next, n++)
		MUST(strcmp(cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(errors, (int)n),
		    "field")->valuestring, f->field) == 0);
	MUST((int)n == cJSON_GetArraySize(errors));
	MUST((n > 0) == (it.error == ERR_INVALID_INPUT));
}

static inline size_t
count_characters(const char *s)
{
	size_t n = 0;

	MUST(utf8_is_valid(s));
	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static inline bool
is_number(const char *s, int64_t least, int64_t most)
{
	int64_t n = strtoll(s, NULL, 10);

	return strspn(s, "-0123456789") == strlen(s) && n >= least && n <= most;
}

/* What a handler may rely on of a field it is given. */
static inline void
check_field(const struct field *f, const void *input)
{
	const void *member = (const char *)input + f->offset;
	const char *s = f->type == T_INT ? NULL : *(const char *const *)member;
	int64_t n = f->type == T_INT ? *(const int64_t *)member : 0;

	if (f->type == T_INT) {
		MUST((n >= f->min && n <= f->max) || (n == f->preset && !f->required));
		return;
	}
	MUST(s != NULL || !f->required);
	if (s == NULL)
		return;
	switch (f->type) {
	case T_STR:
		n = (int64_t)(f->bytes ? strlen(s) : count_characters(s));
		MUST(n >= f->min && (f->max == 0 || n <= f->max));
		break;
	case T_EMAIL:
		MUST(count_characters(s) == strlen(s) && strlen(s) <= 254);
		MUST(strchr(s, '@') > s && strchr(s, '@') == strrchr(s, '@'));
		MUST(strpbrk(s, "\r\n\t <>\",;:\\()[]") == NULL);
		MUST(strpbrk(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
		break;
	case T_CHOICE:
		MUST(one_of_(s, f->choices));
		break;
	case T_ID:
		MUST(is_number(s, 1, INT64_MAX) && strlen(s) <= 19);
		break;
	case T_BOOL:
		MUST(one_of(s, "true", "false"));
		break;
	case T_MONEY:
		MUST(is_number(s, 0, INT64_C(10000000000000)));
		break;
	case T_NUMBER:
		MUST(strspn(s, "0123456789.") == strlen(s) && strlen(s) <= 13);
		break;
	default:
		MUST(f->type == T_STRS || f->type == T_LIST || f->type == T_FILE);
	}
}

static inline void
check_input(void)
{
	for (const struct field *f = it.entry->endpoint->input; f->where != F_END; f++)
		check_field(f, it.input);
}

#endif
