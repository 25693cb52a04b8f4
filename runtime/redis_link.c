#include "redis_link.h"
#include "encoding.h"
#include "fn.h"
#include "tls.h"

#include <errno.h>
#include <hiredis/sds.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

SETTING_TEXT(ca_file, "REDIS_CA_FILE", NULL,
    "The certificates (PEM) that rediss:// trusts; unset: those of the system");

enum { PATIENCE_US = 250000, RECORD = 16 << 10 };

STARTUP(check_ca_file)
{
	if (ca_file.text == NULL || access(ca_file.text, R_OK) == 0)
		return true;
	fprintf(stderr, "souk: REDIS_CA_FILE: %s: %s\n", ca_file.text, strerror(errno));
	return false;
}

struct redis_link {
	redisContext *c;
	SSL *tls;		/* NULL: in the clear */
};

/* What a URL is made of; it is taken apart in place. */
struct place {
	char *path, *host, *credentials, *database;
	int port;
	bool tls;
};

/* Cuts s at the first c; returns what is behind it, or NULL. */
static char *
cut(char *s, char c)
{
	char *at = strchr(s, c);

	if (at != NULL)
		*at++ = '\0';
	return at;
}

/* host, host:port or [address]:port */
static void
take_host(struct place *place, char *s)
{
	char *end = *s == '[' ? strchr(s, ']') : NULL, *port;

	place->host = s + (end != NULL);
	if (end != NULL)
		*end = '\0';
	if ((port = cut(end == NULL ? s : end + 1, ':')) != NULL)
		place->port = atoi(port);
}

static bool
take_apart(struct place *place, char *url)
{
	char *at;

	*place = (struct place){ .port = 6379 };
	if (strncmp(url, "unix://", 7) == 0) {
		place->path = url + 7;
		return true;
	}
	place->tls = strncmp(url, "rediss://", 9) == 0;
	if (!place->tls && strncmp(url, "redis://", 8) != 0)
		return false;
	url += place->tls ? 9 : 8;
	if ((at = strrchr(url, '@')) != NULL) {
		*at = '\0';
		place->credentials = url;
		url = at + 1;
	}
	place->database = cut(url, '/');
	take_host(place, url);
	return true;
}

/* Over TLS hiredis is not told what went wrong, so it is told here. */
static bool
broken(struct redis_link *l, const char *problem)
{
	l->c->err = REDIS_ERR_IO;
	snprintf(l->c->errstr, sizeof(l->c->errstr), "TLS: %s", problem);
	return false;
}

/* The trusted certificates are read once a process, and only if needed. */
static bool
encrypt(struct redis_link *l, const char *host)
{
	static SSL_CTX *ctx;
	const char *problem;

	if (ctx == NULL)
		ctx = tls_trusting(ca_file.text);
	l->tls = tls_open(ctx, l->c->fd, host, &problem);
	return l->tls != NULL || broken(l, problem);
}

static bool
give(struct redis_link *l)
{
	size_t sent, length = sdslen(l->c->obuf);

	for (size_t at = 0; at < length; at += sent) {
		errno = 0;
		if (SSL_write_ex(l->tls, l->c->obuf + at, length - at, &sent) != 1)
			return broken(l, tls_problem(l->tls, 0));
	}
	sdssetlen(l->c->obuf, 0);
	return true;
}

static bool
take(struct redis_link *l)
{
	char bytes[RECORD];
	int n;

	do {
		errno = 0;
		n = SSL_read(l->tls, bytes, sizeof(bytes));
		if (n <= 0)
			return broken(l, tls_problem(l->tls, n));
		if (redisReaderFeed(l->c->reader, bytes, (size_t)n) != REDIS_OK)
			return false;
	} while (SSL_pending(l->tls) > 0);
	return true;
}

bool
redis_link_next(struct redis_link *l, redisReply **reply)
{
	void *found = NULL;
	bool good = redisGetReplyFromReader(l->c, &found) == REDIS_OK;

	*reply = found;
	return good;
}

bool
redis_link_read(struct redis_link *l)
{
	return l->tls == NULL ? redisBufferRead(l->c) == REDIS_OK : take(l);
}

bool
redis_link_reply(struct redis_link *l, redisReply **reply)
{
	void *found = NULL;
	bool good;

	*reply = NULL;
	if (l->tls == NULL) {
		good = redisGetReply(l->c, &found) == REDIS_OK;
		*reply = found;
		return good;
	}
	good = redis_link_next(l, reply) && (*reply != NULL || give(l));
	while (good && *reply == NULL)
		good = take(l) && redis_link_next(l, reply);
	return good;
}

void
redis_link_add(struct redis_link *l, int n, const char *const *words, const size_t *lengths)
{
	redisAppendCommandArgv(l->c, n, (const char **)(uintptr_t)words, lengths);
}

static bool
command(struct redis_link *l, int n, const char *const *words)
{
	redisReply *r = NULL;
	bool good;

	redis_link_add(l, n, words, NULL);
	good = redis_link_reply(l, &r) && r->type != REDIS_REPLY_ERROR;
	if (r != NULL && r->type == REDIS_REPLY_ERROR)
		snprintf(l->c->errstr, sizeof(l->c->errstr), "%.100s", r->str);
	if (r != NULL)
		freeReplyObject(r);
	return good;
}

static bool
sign_in(struct redis_link *l, char *credentials)
{
	char *password = cut(credentials, ':');

	percent_decode(credentials);
	if (password != NULL)
		percent_decode(password);
	if (password == NULL || *credentials == '\0')
		return command(l, 2, (const char *const[]){ "AUTH",
		    password == NULL ? credentials : password });
	return command(l, 3, (const char *const[]){ "AUTH", credentials, password });
}

static bool
open_at(struct redis_link *l, struct place *place)
{
	struct timeval patience = { 0, PATIENCE_US };

	l->c = place->path != NULL ? redisConnectUnixWithTimeout(place->path, patience)
	    : redisConnectWithTimeout(place->host, place->port, patience);
	if (l->c == NULL || l->c->err != 0 || redisSetTimeout(l->c, patience) != REDIS_OK)
		return false;
	/* The first answer comes behind what TLS still has to say: whatever is to be
	 * read later is news. */
	return (!place->tls || (encrypt(l, place->host) &&
	    (place->credentials != NULL || command(l, 1, (const char *const[]){ "PING" })))) &&
	    (place->credentials == NULL || sign_in(l, place->credentials)) &&
	    (place->database == NULL || *place->database == '\0' ||
	    command(l, 2, (const char *const[]){ "SELECT", place->database }));
}

struct redis_link *
redis_link_open(const char *url, const char **problem)
{
	static char text[sizeof(((redisContext *)NULL)->errstr)];
	struct redis_link *l = calloc(1, sizeof(*l));
	char *copy = strdup(url);
	struct place place;
	bool good = l != NULL && copy != NULL && take_apart(&place, copy) && open_at(l, &place);

	free(copy);
	if (good)
		return l;
	snprintf(text, sizeof(text), "%s", l == NULL || l->c == NULL ? "cannot connect" : l->c->errstr);
	*problem = text;
	redis_link_close(l);
	return NULL;
}

void
redis_link_close(struct redis_link *l)
{
	if (l == NULL)
		return;
	SSL_free(l->tls);
	if (l->c != NULL)
		redisFree(l->c);
	free(l);
}

int
redis_link_fd(const struct redis_link *l)
{
	return l->c->fd;
}

const char *
redis_link_problem(const struct redis_link *l)
{
	return l->c->errstr;
}
