/*
 * keeper.h -- keeps a set of child processes alive.
 *
 * Each place of a keeper holds one process.  A process that dies is started
 * again: at once when it ended well (exit 0) or had lived long enough to be
 * called healthy, else after a pause that doubles with each early death in a
 * row.  Processes never outlive the keeper: the kernel sends them SIGTERM when
 * it dies.
 *
 * A place may have a listening socket that its process serves.  There, one that
 * ended well had nothing to do: the place sleeps, and the next connection
 * starts it again.
 *
 * The keeper takes over SIGCHLD, SIGTERM, SIGINT, SIGHUP and SIGUSR1 of its
 * process: they stay blocked and arrive as news.  While nothing happens it
 * sleeps without a timer.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper;
struct kept;

struct keeper_policy {
	int64_t	healthy_ms;	/* who lived this long has started well */
	int64_t	backoff_ms;	/* pause after the second early death */
	int64_t	backoff_max_ms;
	int64_t	settle_ms;	/* a replacement must live this long */
	int64_t	grace_ms;	/* from SIGTERM to SIGKILL */
	int	crash_loop;	/* early deaths in a row that make one */
	int	abreast;	/* replaced at the same time by a roll */
	/* Told when a place falls asleep or wakes; may be NULL. */
	void	(*slept)(const struct kept *);
	/* Told when a process dies that nobody has told to; may be NULL. */
	void	(*died)(const struct kept *);
};

/* A place, for reading. */
struct kept {
	const char	*name;
	void		*data;
	int		 wakes_on;	/* a listening socket, or -1 */
	int		 ends_by;	/* the signal that tells it to; SIGTERM */
	bool		 asleep;	/* until somebody connects to it */
	pid_t		 pid;		/* in service; 0 while it waits to start */
	pid_t		 next;		/* its replacement, not yet proven; or 0 */
	int64_t		 restarts;	/* deaths it did not ask for */
	int		 early_deaths;	/* in a row */
	struct kept	*following;
};

enum keeper_news {
	KEEPER_STOP,		/* SIGTERM or SIGINT */
	KEEPER_RELOAD,		/* SIGHUP */
	KEEPER_REPORT,		/* SIGUSR1 */
	KEEPER_TIME,		/* it is as late as keeper_wait() was told */
	KEEPER_CRASH_LOOP	/* once for each row of early deaths */
};

struct keeper	*keeper_new(const struct keeper_policy *);

/*
 * Starts run(data) in a child of its own, with every signal at its default and
 * none blocked; what it returns is the exit status.  The name is copied.
 * wakes_on is the socket it sleeps by, or -1; it stays the caller's.
 */
struct kept	*keeper_add(struct keeper *, const char *name, int wakes_on,
		    int (*run)(void *data), void *data);
/* Takes a place away; its process is told to end. */
void		 keeper_remove(struct keeper *, struct kept *);
/* The same, and waits until it has: the others go on meanwhile. */
void		 keeper_end(struct keeper *, struct kept *);
/*
 * Replaces every process: the new one starts first, and only when it has lived
 * for settle_ms is the old one told to end.  One that dies before leaves the
 * old one in service.
 */
void		 keeper_roll(struct keeper *);
#define KEEPER_NEVER	INT64_MAX

/* Milliseconds of the clock that keeper_wait() goes by. */
int64_t		 keeper_now(void);
/* Does the keeping until there is something for the caller to decide, or
 * until that time, or KEEPER_NEVER. */
enum keeper_news keeper_wait(struct keeper *, int64_t until);
/* Ends every process, waits for all of them and frees the keeper. */
void		 keeper_drain(struct keeper *);
const struct kept *keeper_first(const struct keeper *);

#endif
