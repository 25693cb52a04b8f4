#include "crowd.h"
#include "fn.h"
#include "keeper.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

SETTING_INT(queue, "FN_QUEUE", 128, 0, 4096,
    "Requests that may wait for a worker, however slow; more only as far as workers take"
    " them up within a second, and the others are answered 503; 0: all may wait");

enum { BURST_MS = 1000 };	/* that more may wait: they may be all there are */

/* Shared by the workers and their master. */
static struct crowd {
	pid_t		 master;
	_Atomic bool	 watched;
	_Atomic uint64_t taken;
	int		 workers;
	_Atomic char	 busy[];
} *crowd;

/* The master's own: */
static struct {
	uint64_t	 taken;		/* at the last look */
	int64_t		 at_ms;
	int64_t		 rate;		/* taken a second, lately; -1: not known yet */
	int64_t		 too_many_ms;	/* since when too many wait; 0: they do not */
	int		 asks;		/* the kernel, by this descriptor */
} seen = { .asks = -1 };

bool
crowd_open(int workers)
{
	void *shared;

	if (queue.number == 0)
		return true;
	shared = mmap(NULL, sizeof(*crowd) + (size_t)workers,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return false;
	crowd = shared;
	crowd->master = getpid();
	crowd->workers = workers;
	return true;
}

static bool
all_busy(void)
{
	for (int i = 0; i < crowd->workers; i++)
		if (!crowd->busy[i])
			return false;
	return true;
}

void
crowd_take(int slot)
{
	if (crowd == NULL)
		return;
	crowd->busy[slot] = 1;
	atomic_fetch_add_explicit(&crowd->taken, 1, memory_order_relaxed);
	if (!crowd->watched && all_busy() && !atomic_exchange(&crowd->watched, true) &&
	    getppid() == crowd->master)
		kill(crowd->master, SIGUSR1);
}

void
crowd_free(int slot)
{
	if (crowd != NULL)
		atomic_store_explicit(&crowd->busy[slot], 0, memory_order_release);
}

static void
note(void)
{
	seen.taken = crowd->taken;
	seen.at_ms = keeper_now();
}

void
crowd_watch(void)
{
	if (crowd == NULL)
		return;
	if (seen.asks < 0)
		seen.asks = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	seen.rate = -1;
	seen.too_many_ms = 0;
	note();
}

/* A Unix socket's queue is told by unix_diag(7) alone; -1 where that is not to
 * be had. */
static int64_t
read_length(const char *bytes, size_t n)
{
	const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)bytes;
	const struct rtattr *a;
	int left;

	if (!NLMSG_OK(head, n) || head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -1;
	left = (int)NLMSG_PAYLOAD(head, sizeof(struct unix_diag_msg));
	a = (const struct rtattr *)(const void *)((const char *)NLMSG_DATA(head) +
	    NLMSG_ALIGN(sizeof(struct unix_diag_msg)));
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == UNIX_DIAG_RQLEN)
			return ((const struct unix_diag_rqlen *)RTA_DATA(a))->udiag_rqueue;
	return -1;
}

static int64_t
count_waiting(void)
{
	struct { struct nlmsghdr head; struct unix_diag_req ask; } m = {
		.head = { .nlmsg_len = sizeof(m), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST },
		.ask = { .sdiag_family = AF_UNIX, .udiag_states = ~0U,
		    .udiag_show = UDIAG_SHOW_RQLEN, .udiag_cookie = { ~0U, ~0U } },
	};
	_Alignas(struct nlmsghdr) char answer[1024];
	struct stat about;
	ssize_t n;

	if (seen.asks < 0 || fstat(STDIN_FILENO, &about) != 0)
		return -1;
	m.ask.udiag_ino = (unsigned)about.st_ino;
	if (send(seen.asks, &m, sizeof(m), 0) != sizeof(m))
		return -1;
	n = recv(seen.asks, answer, sizeof(answer), 0);
	return n < 0 ? -1 : read_length(answer, (size_t)n);
}

/* One pause, of Postgres say, is not taken for how fast they are. */
static void
learn_rate(void)
{
	int64_t passed = keeper_now() - seen.at_ms;
	uint64_t taken = crowd->taken - seen.taken;
	int64_t now = (int64_t)taken * 1000 / (passed > 0 ? passed : 1);

	seen.rate = seen.rate < 0 ? now : (3 * seen.rate + now) / 4;
	note();
}

/* How many of those who wait do so in vain.  A burst is no crowd: at first they
 * are only counted. */
static int64_t
too_many(int64_t waiting)
{
	int64_t limit = seen.rate > queue.number ? seen.rate : queue.number;

	if (waiting <= limit)
		seen.too_many_ms = 0;
	else if (seen.too_many_ms == 0)
		seen.too_many_ms = keeper_now();
	return waiting > limit && keeper_now() - seen.too_many_ms >= BURST_MS ? waiting - limit : 0;
}

static bool
is_over(void)
{
	if (all_busy())
		return false;
	crowd->watched = false;
	/* Who became busy just before that has told nobody. */
	return !all_busy() || atomic_exchange(&crowd->watched, true);
}

/* Without unix_diag, or where a sandbox forbids netlink. */
static void
tell_blindness(void)
{
	static bool told;

	if (!told)
		log_line(LOG_WARN, "nobody is turned away: the kernel does not say how many wait", NULL);
	told = true;
}

/* So many more than may wait can only be there while all workers are busy, so
 * that accepting does not block. */
bool
crowd_look(void (*turn_away)(int fd))
{
	int64_t waiting;

	if (crowd == NULL)
		return false;
	waiting = count_waiting();
	if (waiting < 0)
		tell_blindness();
	learn_rate();
	for (int64_t left = too_many(waiting); left > 0; left--) {
		int fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			turn_away(fd);
	}
	if (waiting > 0 || !is_over())
		return true;
	if (seen.asks >= 0)
		close(seen.asks);
	seen.asks = -1;
	return false;
}
