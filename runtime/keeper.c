/*
 * The table of kept processes and the one loop that looks after it.
 *
 * Every decision is a function of the table and the clock: signals only say
 * that it is time to look.  So a lost or merged SIGCHLD costs nothing.
 */
#include "keeper.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fn.h"

/* No place starts processes faster than this, however well they end. */
#define PACE_MS		10

struct place {
	struct kept	 kept;		/* first: a place is a kept */
	int		(*run)(void *);
	int64_t		 started;	/* when kept.pid was */
	int64_t		 next_started;
	int64_t		 start_at;	/* when kept.pid is 0 */
	bool		 stale;		/* a roll has yet to reach it */
};

/* A process that was told to end. */
struct leaver {
	pid_t		 pid;
	int64_t		 kill_at;
	char		 name[64];
	struct leaver	*following;
};

struct keeper {
	struct keeper_policy	 policy;
	int			 signals;	/* a descriptor */
	struct kept		*places;
	struct pollfd		*waited;	/* signals, then sleepers' sockets */
	nfds_t			 room;		/* in waited: all there can be */
	struct leaver		*leavers;
	bool			 crash_loop;	/* not yet told */
};

int64_t
keeper_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *
zeroed(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL) {
		log_line(LOG_ERROR, "out of memory", NULL);
		exit(1);
	}
	return p;
}

static struct place *
place_of(struct kept *kept)
{
	return (struct place *)kept;
}

/* For one socket more. */
static void
make_room(struct keeper *k)
{
	struct pollfd *waited = realloc(k->waited, (k->room + 1) * sizeof(*waited));

	if (waited == NULL) {
		log_line(LOG_ERROR, "out of memory", NULL);
		exit(1);
	}
	k->waited = waited;
	k->room++;
}

static const int taken[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

struct keeper *
keeper_new(const struct keeper_policy *policy)
{
	struct keeper *k = zeroed(sizeof(*k));
	sigset_t signals;

	k->policy = *policy;
	sigemptyset(&signals);
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		sigaddset(&signals, taken[i]);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	k->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (k->signals < 0) {
		log_line(LOG_ERROR, "cannot wait for signals", "error",
		    strerror(errno), NULL);
		exit(1);
	}
	make_room(k);
	/* One inherited as ignored (nohup) would never become pending. */
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		signal(taken[i], SIG_DFL);
	return k;
}

const struct kept *
keeper_first(const struct keeper *k)
{
	return k->places;
}

/* In the child: run never sees what the keeper did to signals. */
static _Noreturn void
become(const struct keeper *k, const struct place *place, pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* The parent may have died before the kernel was asked to tell. */
	if (getppid() != parent)
		_exit(0);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(k->signals);
	exit(place->run(place->kept.data));
}

/* The new process, or 0 when there can be none now. */
static pid_t
start(const struct keeper *k, const struct place *place)
{
	pid_t parent = getpid();
	pid_t pid;

	/* What is still buffered would be written by both. */
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(k, place, parent);
	if (pid < 0) {
		log_line(LOG_ERROR, "cannot fork", "process", place->kept.name,
		    "error", strerror(errno), NULL);
		return 0;
	}
	return pid;
}

static int64_t
pause_after(const struct keeper *k, int early_deaths)
{
	int64_t ms = k->policy.backoff_ms;

	if (early_deaths < 2)
		return 0;
	while (--early_deaths > 1 && ms < k->policy.backoff_max_ms)
		ms *= 2;
	return ms < k->policy.backoff_max_ms ? ms : k->policy.backoff_max_ms;
}

static void
count_early_death(struct keeper *k, struct place *place)
{
	if (++place->kept.early_deaths != k->policy.crash_loop)
		return;
	k->crash_loop = true;
	log_line(LOG_ERROR, "crash loop", "process", place->kept.name, NULL);
}

static void
set_asleep(struct keeper *k, struct place *place, bool asleep)
{
	if (place->kept.asleep == asleep)
		return;
	place->kept.asleep = asleep;
	if (k->policy.slept != NULL)
		k->policy.slept(&place->kept);
}

static void
start_place(struct keeper *k, struct place *place)
{
	set_asleep(k, place, false);
	place->started = keeper_now();
	place->stale = false;
	place->kept.pid = start(k, place);
	if (place->kept.pid == 0) {
		count_early_death(k, place);
		place->start_at = place->started + k->policy.backoff_ms +
		    pause_after(k, place->kept.early_deaths);
	}
}

struct kept *
keeper_add(struct keeper *k, const char *name, int wakes_on,
    int (*run)(void *), void *data)
{
	struct place *place = zeroed(sizeof(*place));
	struct kept **end = &k->places;
	char *copy = zeroed(strlen(name) + 1);

	place->kept.name = strcpy(copy, name);
	place->kept.data = data;
	place->kept.wakes_on = wakes_on;
	place->kept.ends_by = SIGTERM;
	place->run = run;
	while (*end != NULL)
		end = &(*end)->following;
	*end = &place->kept;
	if (wakes_on >= 0)
		make_room(k);
	start_place(k, place);
	return &place->kept;
}

static void
tell_to_end(struct keeper *k, pid_t pid, const struct kept *kept)
{
	struct leaver *leaver;

	if (pid == 0)
		return;
	leaver = zeroed(sizeof(*leaver));
	leaver->pid = pid;
	leaver->kill_at = keeper_now() + k->policy.grace_ms;
	snprintf(leaver->name, sizeof(leaver->name), "%s", kept->name);
	leaver->following = k->leavers;
	k->leavers = leaver;
	kill(pid, kept->ends_by);
}

void
keeper_remove(struct keeper *k, struct kept *kept)
{
	struct kept **at = &k->places;

	while (*at != kept)
		at = &(*at)->following;
	*at = kept->following;
	tell_to_end(k, kept->pid, kept);
	tell_to_end(k, kept->next, kept);
	free((char *)kept->name);
	free(place_of(kept));
}

void
keeper_roll(struct keeper *k)
{
	for (struct kept *kept = k->places; kept; kept = kept->following) {
		struct place *place = place_of(kept);

		/* Who rolls has changed something: no need to wait longer, and
		 * a sleeper shows that it still starts. */
		if (kept->pid == 0) {
			kept->early_deaths = 0;
			place->start_at = 0;
			set_asleep(k, place, false);
		}
		/* A replacement under way may be of the state before. */
		tell_to_end(k, kept->next, kept);
		kept->next = 0;
		place->stale = kept->pid != 0;
	}
}

/* "signal 9" or "status 1", for the log. */
static const char *
manner(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(buf, size, "signal %d", WTERMSIG(status));
	else
		snprintf(buf, size, "status %d", WEXITSTATUS(status));
	return buf;
}

static bool
ended_well(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
promote(struct place *place)
{
	place->kept.pid = place->kept.next;
	place->started = place->next_started;
	place->kept.next = 0;
	place->kept.early_deaths = 0;
}

static void
died_in_service(struct keeper *k, struct place *place, int status)
{
	int64_t now = keeper_now();
	bool early = now - place->started < k->policy.healthy_ms;
	int64_t pause = 0;
	char how[32], when[32];

	place->kept.pid = 0;
	if (ended_well(status)) {
		place->kept.early_deaths = 0;
	} else {
		place->kept.restarts++;
		if (k->policy.died != NULL)
			k->policy.died(&place->kept);
		if (!early)
			place->kept.early_deaths = 0;
		count_early_death(k, place);
		pause = pause_after(k, place->kept.early_deaths);
		snprintf(when, sizeof(when), "%lld", (long long)pause);
		log_line(LOG_ERROR, "process died", "process",
		    place->kept.name, "how", manner(status, how, sizeof(how)),
		    "restart_in_ms", when, NULL);
	}
	/* Its replacement is already there. */
	if (place->kept.next != 0) {
		promote(place);
		return;
	}
	if (ended_well(status) && place->kept.wakes_on >= 0)
		set_asleep(k, place, true);
	place->start_at = now + pause;
	if (place->start_at < place->started + PACE_MS)
		place->start_at = place->started + PACE_MS;
}

static void
died_unproven(struct keeper *k, struct place *place, int status)
{
	char how[32];

	place->kept.next = 0;
	if (ended_well(status)) {
		tell_to_end(k, place->kept.pid, &place->kept);
		place->kept.pid = 0;
		place->start_at = 0;
		return;
	}
	log_line(LOG_ERROR, "replacement died; the old process goes on",
	    "process", place->kept.name,
	    "how", manner(status, how, sizeof(how)), NULL);
}

/* True when it was one of those told to end. */
static bool
has_left(struct keeper *k, pid_t pid)
{
	for (struct leaver **at = &k->leavers; *at; at = &(*at)->following) {
		struct leaver *leaver = *at;

		if (leaver->pid != pid)
			continue;
		*at = leaver->following;
		free(leaver);
		return true;
	}
	return false;
}

static void
reap(struct keeper *k)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		/* Anyone else is an orphan that process 1 inherited. */
		if (has_left(k, pid))
			continue;
		for (struct kept *p = k->places; p; p = p->following) {
			if (p->pid == pid)
				died_in_service(k, place_of(p), status);
			else if (p->next == pid)
				died_unproven(k, place_of(p), status);
			else
				continue;
			break;
		}
	}
}

static void
sooner(int64_t *due, int64_t at)
{
	if (at < *due)
		*due = at;
}

/* Does what is due in a place; lowers *due to when it has to be seen again. */
static void
look_after(struct keeper *k, struct place *place, int *replacing, int64_t *due)
{
	struct kept *kept = &place->kept;
	int64_t now = keeper_now();

	if (kept->pid == 0 && !kept->asleep && place->start_at <= now)
		start_place(k, place);
	if (kept->pid == 0 && !kept->asleep)
		sooner(due, place->start_at);
	if (kept->next != 0 && place->next_started + k->policy.settle_ms <= now) {
		tell_to_end(k, kept->pid, kept);
		promote(place);
		--*replacing;
		/* A place already passed may have waited for this. */
		sooner(due, now);
	}
	if (place->stale && kept->pid != 0 && *replacing < k->policy.abreast) {
		place->stale = false;
		place->next_started = now;
		kept->next = start(k, place);
		*replacing += kept->next != 0;
	}
	if (kept->next != 0)
		sooner(due, place->next_started + k->policy.settle_ms);
}

static void
kill_overdue(struct keeper *k, int64_t *due)
{
	for (struct leaver *l = k->leavers; l; l = l->following) {
		if (l->kill_at <= keeper_now()) {
			log_line(LOG_WARN, "grace is over, killing", "process",
			    l->name, NULL);
			kill(l->pid, SIGKILL);
			l->kill_at = KEEPER_NEVER;
		}
		sooner(due, l->kill_at);
	}
}

static nfds_t
list_sleepers(const struct keeper *k)
{
	nfds_t n = 0;

	k->waited[n++] = (struct pollfd){ k->signals, POLLIN, 0 };
	for (const struct kept *p = k->places; p; p = p->following) {
		if (p->asleep)
			k->waited[n++] = (struct pollfd){ p->wakes_on, POLLIN, 0 };
	}
	return n;
}

/* In the order of list_sleepers(). */
static void
wake_called(struct keeper *k)
{
	const struct pollfd *at = k->waited;

	for (struct kept *p = k->places; p; p = p->following) {
		if (p->asleep && (++at)->revents != 0)
			set_asleep(k, place_of(p), false);
	}
}

/* A pending signal, or 0 when it is time to look at the table. */
static int
sleep_until(struct keeper *k, int64_t due)
{
	int64_t left = due == KEEPER_NEVER ? -1 : due - keeper_now();
	struct signalfd_siginfo got;

	if (due != KEEPER_NEVER && left < 0)
		left = 0;
	if (poll(k->waited, list_sleepers(k), left > INT_MAX ? INT_MAX : (int)left) <= 0)
		return 0;
	wake_called(k);
	if (read(k->signals, &got, sizeof(got)) != sizeof(got))
		return 0;
	return got.ssi_signo == SIGCHLD ? 0 : (int)got.ssi_signo;
}

/* Does all that is due now and says when there will be more to do. */
static int64_t
keep(struct keeper *k)
{
	int64_t due = KEEPER_NEVER;
	int replacing = 0;

	reap(k);
	for (struct kept *p = k->places; p; p = p->following)
		replacing += p->next != 0;
	for (struct kept *p = k->places; p; p = p->following)
		look_after(k, place_of(p), &replacing, &due);
	kill_overdue(k, &due);
	return due;
}

enum keeper_news
keeper_wait(struct keeper *k, int64_t until)
{
	for (;;) {
		int64_t due = keep(k);

		sooner(&due, until);
		if (k->crash_loop) {
			k->crash_loop = false;
			return KEEPER_CRASH_LOOP;
		}
		switch (sleep_until(k, due)) {
		case SIGTERM:
		case SIGINT:
			return KEEPER_STOP;
		case SIGHUP:
			return KEEPER_RELOAD;
		case SIGUSR1:
			return KEEPER_REPORT;
		}
		if (until <= keeper_now())
			return KEEPER_TIME;
	}
}

/* Who asks for the end again has to wait for the grace as well. */
static void
await_leavers(struct keeper *k)
{
	int64_t due;

	while (due = keep(k), k->leavers != NULL)
		sleep_until(k, due);
}

void
keeper_end(struct keeper *k, struct kept *kept)
{
	keeper_remove(k, kept);
	await_leavers(k);
}

void
keeper_drain(struct keeper *k)
{
	while (k->places != NULL)
		keeper_remove(k, k->places);
	await_leavers(k);
	close(k->signals);
	free(k->waited);
	free(k);
}
