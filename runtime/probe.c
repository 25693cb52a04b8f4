/*
 * One poll loop over all that was added.  curl's own wait serves as the poll:
 * it takes our descriptors beside its own.
 */
#include "curl_http.h"
#include "listen.h"
#include "probe.h"
#include "probe_fastcgi.h"

#include <dirent.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 1024 };	/* of a FastCGI answer; its status comes first */

struct probe {
	const char	*name;
	bool		 asking, up, fastcgi;
	const struct probe *same;	/* as up as this one */
	int		 fd;		/* to wait for; of HTTP curl knows better */
	short		 events;	/* CURL_WAIT_POLLIN or CURL_WAIT_POLLOUT */
	void		(*step)(struct probe *);	/* when the fd is ready */
	struct probe	*next;

	PGconn		*postgres;
	CURL		*http;
	unsigned char	 bytes[ANSWER_MAX];	/* FastCGI: first out, then in */
	size_t		 sent, length;
};

struct probes {
	struct req	*rq;
	struct probe	*first, **last;
	CURLM		*curl;
	size_t		 count;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct probes *
probes_new(struct req *rq)
{
	struct probes *all = mem(rq, sizeof(*all));

	all->rq = rq;
	all->last = &all->first;
	all->curl = curl_multi_init();
	return all;
}

static struct probe *
add(struct probes *all, const char *name)
{
	struct probe *p = mem(all->rq, sizeof(*p));

	p->name = fmt(all->rq, "%s", name);
	p->fd = -1;
	p->asking = true;
	*all->last = p;
	all->last = &p->next;
	all->count++;
	return p;
}

/* The verdict; later ones change nothing. */
static void
decide(struct probe *p, bool up)
{
	if (!p->asking)
		return;
	p->asking = false;
	p->up = up;
}

static void
receive_status(struct probe *p)
{
	ssize_t n = recv(p->fd, p->bytes + p->length, sizeof(p->bytes) - p->length, 0);
	int status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		p->length += (size_t)n;
	status = fastcgi_status(p->bytes, p->length);
	if (status != 0)
		decide(p, status >= 200 && status < 300);
	else if (n <= 0 || p->length == sizeof(p->bytes))
		decide(p, false);
}

static void
send_request(struct probe *p)
{
	ssize_t n = send(p->fd, p->bytes + p->sent, p->length - p->sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		decide(p, false);
	if (n > 0)
		p->sent += (size_t)n;
	if (p->sent < p->length)
		return;
	p->length = 0;
	p->events = CURL_WAIT_POLLIN;
	p->step = receive_status;
}

void
probes_add_fastcgi(struct probes *all, const char *name, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct probe *p = add(all, name);

	p->fastcgi = true;
	if (strlen(path) >= sizeof(address.sun_path)) {
		decide(p, false);
		return;
	}
	strcpy(address.sun_path, path);
	p->length = fastcgi_health_request(p->bytes);
	p->events = CURL_WAIT_POLLOUT;
	p->step = send_request;
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* A Unix socket connects at once or, with a full backlog, not at all. */
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		decide(p, false);
}

/* It ended well, and the next request starts it. */
static void
probes_add_asleep(struct probes *all, const char *name)
{
	struct probe *p = add(all, name);

	p->fastcgi = true;
	decide(p, true);
}

void
probes_add_functions(struct probes *all, const char *directory)
{
	DIR *dir = opendir(directory);

	if (dir == NULL)
		return;
	for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
		const char *suffix = strstr(e->d_name, ".sock");
		const char *name;

		if (suffix == NULL || suffix[5] != '\0')
			continue;
		name = fmt(all->rq, "%.*s", (int)(suffix - e->d_name), e->d_name);
		if (strcmp(name, program_invocation_short_name) == 0)
			continue;
		if (listen_is_asleep(directory, name))
			probes_add_asleep(all, name);
		else
			probes_add_fastcgi(all, name,
			    fmt(all->rq, "%s/%s", directory, e->d_name));
	}
	closedir(dir);
}

void
probes_add_known(struct probes *all, const char *name, bool up)
{
	decide(add(all, name), up);
}

void
probes_add_same(struct probes *all, const char *name, const char *other)
{
	const struct probe *same = all->first;
	struct probe *p = add(all, name);

	while (strcmp(same->name, other) != 0)
		same = same->next;
	p->asking = false;
	p->same = same;
}

static void
log_in(struct probe *p)
{
	PostgresPollingStatusType status = PQconnectPoll(p->postgres);

	p->fd = PQsocket(p->postgres);
	p->events = status == PGRES_POLLING_READING ? CURL_WAIT_POLLIN : CURL_WAIT_POLLOUT;
	if (status == PGRES_POLLING_OK || status == PGRES_POLLING_FAILED)
		decide(p, status == PGRES_POLLING_OK);
}

void
probes_add_postgres(struct probes *all, const char *name, const char *url)
{
	struct probe *p = add(all, name);

	p->postgres = PQconnectStart(url);
	if (PQstatus(p->postgres) == CONNECTION_BAD) {
		decide(p, false);
		return;
	}
	p->fd = PQsocket(p->postgres);
	p->events = CURL_WAIT_POLLOUT;
	p->step = log_in;
}

void
probes_add_http(struct probes *all, const char *name, const char *url)
{
	struct probe *p = add(all, name);

	p->http = curl_easy_init();
	if (p->http == NULL) {
		decide(p, false);
		return;
	}
	curl_easy_setopt(p->http, CURLOPT_URL, url);
	curl_easy_setopt(p->http, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(p->http, CURLOPT_NOSIGNAL, 1L);
	curl_only_http(p->http);
	curl_easy_setopt(p->http, CURLOPT_PRIVATE, p);
	curl_multi_add_handle(all->curl, p->http);
}

static void
take_http_answers(struct probes *all)
{
	int running, left;
	CURLMsg *msg;

	curl_multi_perform(all->curl, &running);
	while ((msg = curl_multi_info_read(all->curl, &left)) != NULL) {
		struct probe *p;
		long status = 0;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &p);
		curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		decide(p, msg->data.result == CURLE_OK && status < 500);
	}
}

/* Lists the descriptors that are waited for and whose they are. */
static unsigned
list_askers(const struct probes *all, struct curl_waitfd *fds, struct probe **askers)
{
	unsigned n = 0;

	for (struct probe *p = all->first; p != NULL; p = p->next) {
		if (!p->asking || p->fd < 0)
			continue;
		fds[n].fd = p->fd;
		fds[n].events = p->events;
		fds[n].revents = 0;
		askers[n++] = p;
	}
	return n;
}

static bool
someone_asks(const struct probes *all)
{
	const struct probe *p = all->first;

	while (p != NULL && !p->asking)
		p = p->next;
	return p != NULL;
}

static void
ask_until(struct probes *all, int64_t deadline)
{
	struct curl_waitfd *fds = mem(all->rq, (all->count + 1) * sizeof(*fds));
	struct probe **askers = mem(all->rq, (all->count + 1) * sizeof(*askers));
	int64_t left;

	take_http_answers(all);
	while (someone_asks(all) && (left = deadline - now_ms()) > 0) {
		unsigned n = list_askers(all, fds, askers);

		curl_multi_wait(all->curl, fds, n, (int)left, NULL);
		for (unsigned i = 0; i < n; i++) {
			if (fds[i].revents != 0)
				askers[i]->step(askers[i]);
		}
		take_http_answers(all);
	}
}

void
probes_run(struct probes *all, int deadline_ms)
{
	ask_until(all, now_ms() + deadline_ms);
	for (struct probe *p = all->first; p != NULL; p = p->next) {
		decide(p, false);
		if (p->http != NULL) {
			curl_multi_remove_handle(all->curl, p->http);
			curl_easy_cleanup(p->http);
		}
		if (p->postgres != NULL)
			PQfinish(p->postgres);
		else if (p->fd >= 0)
			close(p->fd);
	}
	curl_multi_cleanup(all->curl);
}

struct probe *
probes_next(const struct probes *all, struct probe *at)
{
	return at == NULL ? all->first : at->next;
}

bool
probes_all_up(const struct probes *all)
{
	const struct probe *p = all->first;

	while (p != NULL && probe_is_up(p))
		p = p->next;
	return p == NULL;
}

const char *
probe_name(const struct probe *p)
{
	return p->name;
}

bool
probe_is_up(const struct probe *p)
{
	return p->same == NULL ? p->up : p->same->up;
}

bool
probe_is_fastcgi(const struct probe *p)
{
	return p->fastcgi;
}
