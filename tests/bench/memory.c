/*
 * GET /bench/memory
 *
 * The bytes of a file, from memory: what an answer of that size costs when
 * nothing has to be asked of anybody.
 */
#include "fn.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1 << 20 };

SETTING_TEXT(file, "BENCH_FILE", NULL, "The file to answer with");

static char *bytes;
static size_t length;

STARTUP(read_file)
{
	FILE *f = file.text == NULL ? NULL : fopen(file.text, "re");

	bytes = malloc(MOST);
	if (f == NULL || bytes == NULL) {
		log_line(LOG_ERROR, "BENCH_FILE cannot be read", NULL);
		return false;
	}
	length = fread(bytes, 1, MOST, f);
	fclose(f);
	return true;
}

ENDPOINT(answer_from_memory) = {
	.method  = HTTP_GET,
	.path    = "/bench/memory",
	.summary = "A file from memory",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
};

static struct status
answer_from_memory(struct req *rq)
{
	return reply_bytes(rq, 200, "application/json", bytes, length);
}
