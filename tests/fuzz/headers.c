/*
 * A whole request but for its body: every variable a gateway hands over.
 *
 * Each line is "NAME=value".  The answer has a declared status; its head is
 * made of whole lines, none of which the client has written; what the client
 * is taken for (address, id, trace) has its form; the log line is JSON.
 */
#include "fuzz.h"

#include "access.h"
#include "db.h"
#include "response.h"

#include <arpa/inet.h>
#include <unistd.h>

/* What is logged, instead of writing it. */
static char logged[32 << 10];
static size_t logged_length;

static ssize_t
keep(const char *bytes, size_t n)
{
	MUST(n < sizeof(logged));
	memcpy(logged, bytes, n);
	logged[n] = '\0';
	logged_length = n;
	return (ssize_t)n;
}

#define write(fd, bytes, n)	keep(bytes, n)
#include "../../runtime/log.c"
#undef write

enum { MAX_LINES = 120 };
#define ORIGINS	"https://shop.example, http://localhost:3000"

struct input { const char *name; };

ENDPOINT(cached) = {
	.method = HTTP_GET, .path = "/cached", .access = ACCESS_PUBLIC, .rate = RATE_NONE,
	.cache = { .seconds = 60, .tag = "things" },
	.input = FIELDS(PARAM(name, STR, "Words", .max = 10)),
};

ENDPOINT(make) = {
	.method = HTTP_POST, .path = "/make", .access = ACCESS_PUBLIC, .rate = RATE_AUTH,
	.idempotent = true,
	.input = FIELDS(BODY(name, STR, "Words", .max = 10)),
};

ENDPOINT(operate) = {
	.method = HTTP_PUT, .path = "/operate", .access = ACCESS_OPERATOR, .rate = RATE_GENERAL,
};

static struct status
cached(struct req *rq)
{
	return reply_json(rq, 200, "{\"cached\":true}");
}

/* A handler that sends back what it was sent. */
static struct status
make(struct req *rq)
{
	const char *key = req_idempotency_key(rq), *agent = req_header(rq, "HTTP_USER_AGENT");

	if (key != NULL) {
		MUST(strlen(key) >= 1 && strlen(key) <= 255);
		for (const char *c = key; *c != '\0'; c++)
			MUST(*c >= ' ' && *c <= '~');
		reply_header(rq, "X-Key", key);
	}
	if (agent != NULL)
		reply_header(rq, "X-Agent", agent);
	return reply_message(rq, 201, agent == NULL ? "made" : agent);
}

static struct status
operate(struct req *rq)
{
	return reply_json(rq, 200, "{}");
}

/* A database where nobody has used a key before. */
void db_begin(struct req *rq, bool each) { (void)rq; (void)each; }
bool db_commit(struct req *rq) { return !req_failed(rq); }
void db_rollback(void) { }
bool db_should_rerun(struct req *rq) { (void)rq; return false; }
bool db_recall(struct req *rq) { MUST(rq->idempotency_key != NULL); return false; }
bool db_key_was_taken(void) { return false; }
void db_keep_answer(struct req *rq) { (void)rq; }
void db_release(struct req *rq) { (void)rq; }

static const char *
next_line(const char *at, const char *end)
{
	const char *crlf = memmem(at, (size_t)(end - at), "\r\n", 2);

	MUST(crlf != NULL);
	for (const char *c = at; c < crlf; c++)
		MUST((unsigned char)*c >= ' ' && *c != 127);
	return crlf + 2;
}

static bool
is_ours(const char *line, size_t n)
{
	static const char *const names[] = { "Content-Type", "Content-Length", "X-Request-ID",
	    "X-Correlation-ID", "ETag", "Cache-Control", "Vary", "X-Cache", "X-Key", "X-Agent",
	    "Allow", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
	    "WWW-Authenticate", NULL };

	if (strncmp(line, "Access-Control-", 15) == 0)
		return true;
	for (const char *const *name = names; *name != NULL; name++)
		if (strlen(*name) == n && strncmp(line, *name, n) == 0)
			return true;
	return false;
}

static void
check_origin(const char *line, size_t n)
{
	static const char name[] = "Access-Control-Allow-Origin: ";
	size_t skip = sizeof(name) - 1;

	if (strncmp(line, name, skip) != 0)
		return;
	MUST((n == skip + 20 && memcmp(line + skip, "https://shop.example", 20) == 0) ||
	    (n == skip + 21 && memcmp(line + skip, "http://localhost:3000", 21) == 0));
}

static void
check_head(void)
{
	size_t n;
	const char *at = response_head(&it, &n), *end = at + n, *next;

	MUST(strncmp(at, "Status: ", 8) == 0 && strtol(at + 8, NULL, 10) == it.status);
	for (at = next_line(at, end); (next = next_line(at, end)) - at > 2; at = next) {
		const char *colon = memchr(at, ':', (size_t)(next - at));

		MUST(colon != NULL && colon[1] == ' ');
		MUST(is_ours(at, (size_t)(colon - at)));
		check_origin(at, (size_t)(next - at) - 2);
	}
	MUST(next == end);
}

static void
check_body(void)
{
	const char *problem;
	size_t n;
	const char *body = response_body(&it, &n);

	if (n > 0)
		MUST(body_parse(&it, body, n, &problem) != NULL);
}

static bool
is_hex(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdef") == n && strspn(s, "0") < n;
}

static void
check_identity(void)
{
	unsigned char ignored[16];

	MUST(strlen(it.id) >= 1 && strspn(it.id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
	    "qrstuvwxyz0123456789._-") == strlen(it.id));
	MUST(is_hex(it.trace_id, 32));
	MUST(strlen(it.span_id) == 16);
	MUST(it.parent_id[0] == '\0' || is_hex(it.parent_id, 16));
	MUST(strlen(req_trace(&it)) == 55);
	/* The peer's own word for itself, or an address. */
	MUST(it.address == it.remote_address || *it.address == '\0' ||
	    inet_pton(AF_INET, it.address, ignored) == 1 ||
	    inet_pton(AF_INET6, it.address, ignored) == 1);
}

static void
check_log(void)
{
	const char *problem;
	const cJSON *line;

	MUST(logged_length > 1 && logged[logged_length - 1] == '\n');
	MUST(strlen(logged) == logged_length);
	MUST(strchr(logged, '\n') == logged + logged_length - 1);
	line = body_parse(&it, logged, logged_length, &problem);
	MUST(cJSON_IsObject(line));
	MUST(strcmp(cJSON_GetObjectItemCaseSensitive(line, "request_id")->valuestring, it.id) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rest rest = { (const char *)data, n };
	char *variables[MAX_LINES + 1] = { NULL };
	size_t count = 0;

	while (rest.n > 0 && count < MAX_LINES) {
		struct rest line = cut_line(&rest);

		variables[count++] = strndup(line.at, line.n);
	}
	BEGIN(.variables = variables);
	dispatch(&it);
	MUST(STATUS_IS(200, 201, 204, 304, 400, 401, 403, 404, 405, 413, 415, 429));
	MUST(it.status != 401 || it.entry != NULL);
	check_identity();
	check_head();
	check_body();
	if (it.error != ERR_NONE)
		check_refusal();
	logged_length = 0;
	dispatch_after(&it);
	check_log();
	while (count > 0)
		free(variables[--count]);
	return 0;
}

static void
set_up(void)
{
	setenv("ALLOWED_ORIGINS", ORIGINS, 1);
	setenv("TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8, 127.0.0.1", 1);
	setenv("OPS_ALLOW", "192.0.2.0/24", 1);
	start_up();
	MUST(log_open("fuzz", "debug"));
}
