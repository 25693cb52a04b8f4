/*
 * supervisor --run DIR --bin DIR [--workers N] [-- FRONT...]
 *
 * Runs every executable of the bin directory as a FastCGI function.  It owns
 * their listening sockets, DIR/fn/<name>.sock, and passes each as file
 * descriptor 0; requests to a function that is dead or being replaced wait in
 * the socket's backlog.
 *
 *   SIGTERM   every function finishes what it does; then the end
 *   SIGHUP    bin directory and environment are read again, new functions
 *             start, removed ones end, all others are replaced without losing
 *             a request
 *   SIGUSR1   writes DIR/supervisor.status
 *
 * A function that ends well has had nothing to do (FN_SLEEP_S): it sleeps, as
 * DIR/fn/<name>.asleep says, until the next connection starts it again.
 *
 * FRONT is the command of the server in front of the functions, for a container
 * where nobody else would keep it.  It starts when their sockets accept
 * connections.  At the end it is told first, by SIGINT (on which lighttpd
 * finishes what it has begun), and the functions when it has ended.  There, and
 * where there is but one function, a crash loop ends everything: whoever runs the
 * container is to see it.
 *
 * Several supervisors may share one DIR/fn, each with functions of its own.
 *
 * DIR/supervisor.pid appears when all sockets accept connections.  A
 * function's environment is described in environment.h.  What functions print
 * goes to DIR/log/functions.log, or where there is no DIR/log to the
 * supervisor's own outputs.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "environment.h"
#include "fn.h"
#include "keeper.h"
#include "listen.h"
#include "log.h"

/*
 * A function that dies within five seconds, five times in a row, is in a crash
 * loop: its log says why.  The others are kept running and it is tried again
 * every ten seconds.  The grace is longer than that of a function's master, so
 * that the master, who knows its workers, does the killing.
 */
static void	mark_asleep(const struct kept *);

static const struct keeper_policy policy = {
	.healthy_ms = 5000,
	.backoff_ms = 100,
	.backoff_max_ms = 10000,
	.settle_ms = 250,
	.grace_ms = 70000,
	.crash_loop = 5,
	.abreast = 4,
	.slept = mark_asleep,
};

struct function {
	int		 fd;		/* its listening socket */
	struct env	 env;
	struct kept	*kept;
	bool		 seen;		/* by the scan under way */
	struct function	*following;
	char		 name[NAME_MAX + 1];
};

static const char *run_dir, *bin_dir, *workers;
static char sockets_dir[PATH_MAX];
static char **front_command;	/* NULL: none */
static struct keeper *keeper;
static struct kept *front;
static struct function *functions;

static _Noreturn void
die(const char *what, const char *why)
{
	fprintf(stderr, "supervisor: %s: %s\n", what, why);
	exit(1);
}

static void
path_of(char path[static PATH_MAX], const char *directory, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
		die(directory, "the path is too long");
}

/* In the child. */
static int
become_function(void *data)
{
	const struct function *f = data;
	char path[PATH_MAX];
	char *argv[] = { path, NULL };
	int log;

	path_of(path, run_dir, "log/functions.log");
	log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (log >= 0 && (dup2(log, 1) < 0 || dup2(log, 2) < 0))
		return 126;
	path_of(path, bin_dir, f->name);
	if (dup2(f->fd, 0) == 0)
		execve(path, argv, f->env.strings);
	log_line(LOG_ERROR, "cannot execute", "file", path,
	    "error", strerror(errno), NULL);
	return 127;
}

/* In the child. */
static int
become_front(void *unused)
{
	(void)unused;
	execvp(front_command[0], front_command);
	log_line(LOG_ERROR, "cannot execute", "file", front_command[0],
	    "error", strerror(errno), NULL);
	return 127;
}

static bool
refuse(const char *name, const char *why)
{
	log_line(LOG_ERROR, "function not as it should be", "process", name,
	    "error", why, NULL);
	return false;
}

/* One already running keeps its environment when the new one is not right. */
static bool
read_environment(struct function *f)
{
	char error[PATH_MAX + 128];
	struct env env;

	if (!environment_of(&env, run_dir, f->name, workers, error, sizeof(error)))
		return refuse(f->name, error);
	env_free(&f->env);
	f->env = env;
	return true;
}

static struct function *
find(const char *name)
{
	struct function *f = functions;

	while (f != NULL && strcmp(f->name, name) != 0)
		f = f->following;
	return f;
}

static bool
add(const char *name)
{
	char error[PATH_MAX + 128];
	struct function *f = calloc(1, sizeof(*f));

	if (f == NULL)
		die(name, "out of memory");
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->seen = true;
	if (!read_environment(f)) {
		free(f);
		return false;
	}
	f->fd = listen_at(sockets_dir, name, error, sizeof(error));
	if (f->fd < 0) {
		env_free(&f->env);
		free(f);
		return refuse(name, error);
	}
	f->following = functions;
	functions = f;
	f->kept = keeper_add(keeper, name, f->fd, become_function, f);
	return true;
}

static void
mark_asleep(const struct kept *kept)
{
	listen_mark_asleep(sockets_dir, kept->name, kept->asleep);
}

static void
hide(const struct function *f)
{
	listen_remove(sockets_dir, f->name);
}

static void
forget(struct function *f)
{
	hide(f);
	close(f->fd);
	env_free(&f->env);
	free(f);
}

/* Names go into paths, the status file and log lines as they are. */
static int
is_function(const struct dirent *e)
{
	char path[PATH_MAX];
	struct stat st;

	for (const char *s = e->d_name; *s != '\0'; s++) {
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '_')
			return 0;
	}
	path_of(path, bin_dir, e->d_name);
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

static void
remove_unseen(void)
{
	for (struct function **at = &functions; *at != NULL; ) {
		struct function *f = *at;

		if (f->seen) {
			at = &f->following;
			continue;
		}
		*at = f->following;
		keeper_remove(keeper, f->kept);
		forget(f);
	}
}

/* Makes the functions those of the bin directory; false when some could not. */
static bool
scan(void)
{
	struct dirent **entries;
	int n = scandir(bin_dir, &entries, is_function, alphasort);
	bool ok = n >= 0;

	if (n < 0)
		return refuse(bin_dir, strerror(errno));
	for (struct function *f = functions; f != NULL; f = f->following)
		f->seen = false;
	for (int i = 0; i < n; i++) {
		struct function *f = find(entries[i]->d_name);

		if (f != NULL)
			f->seen = true;
		ok &= f != NULL ? read_environment(f) : add(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	remove_unseen();
	return ok;
}

/* Replaces a file of the run directory at once with what is printed. */
static void
write_file(const char *name, void (*print)(FILE *))
{
	char path[PATH_MAX], unnamed[PATH_MAX + 1];
	FILE *f;
	bool ok;

	path_of(path, run_dir, name);
	snprintf(unnamed, sizeof(unnamed), "%s~", path);
	f = fopen(unnamed, "we");
	if (f != NULL) {
		print(f);
		ok = !ferror(f);
		if (fclose(f) == 0 && ok && rename(unnamed, path) == 0)
			return;
	}
	log_line(LOG_ERROR, "cannot write", "file", path,
	    "error", strerror(errno), NULL);
}

static void
print_pid(FILE *out)
{
	fprintf(out, "%ld\n", (long)getpid());
}

static const char *
state_of(const struct kept *kept)
{
	if (kept->early_deaths >= policy.crash_loop)
		return "crash-loop";
	if (kept->asleep)
		return "asleep";
	if (kept->pid == 0)
		return "waiting";
	return kept->next != 0 ? "replacing" : "running";
}

static void
print_status(FILE *out)
{
	const struct kept *kept = keeper_first(keeper);

	fprintf(out, "{\"pid\": %ld, \"functions\": [", (long)getpid());
	for (const char *comma = ""; kept != NULL; kept = kept->following) {
		fprintf(out, "%s\n  {\"name\": \"%s\", \"pid\": %ld, "
		    "\"state\": \"%s\", \"restarts\": %lld}", comma,
		    kept->name, (long)kept->pid, state_of(kept),
		    (long long)kept->restarts);
		comma = ",";
	}
	fprintf(out, "\n]}\n");
}

/* One supervisor a run directory; the kernel forgets the lock with us. */
static void
lock_run_dir(void)
{
	int fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die(run_dir, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		die(run_dir, "another supervisor runs here; stop it first");
}

/* Whoever died here before has left its sockets: nobody listens at them. */
static void
clear_sockets(void)
{
	DIR *dir;

	if (mkdir(sockets_dir, 0770) != 0 && errno != EEXIST)
		die(sockets_dir, strerror(errno));
	dir = opendir(sockets_dir);
	if (dir == NULL)
		die(sockets_dir, strerror(errno));
	for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
		char *suffix = strrchr(e->d_name, '.');

		if (!one_of(suffix, ".sock", ".asleep"))
			continue;
		*suffix = '\0';
		if (!listen_is_heard(sockets_dir, e->d_name))
			listen_remove(sockets_dir, e->d_name);
	}
	closedir(dir);
}

/* Until the end, which is a good one or not. */
static bool
keep_running(void)
{
	for (;;) {
		switch (keeper_wait(keeper, KEEPER_NEVER)) {
		case KEEPER_STOP:
			return true;
		case KEEPER_RELOAD:
			scan();
			keeper_roll(keeper);
			break;
		case KEEPER_REPORT:
			write_file("supervisor.status", print_status);
			break;
		case KEEPER_CRASH_LOOP:
			/* It is logged; others must not suffer for it. */
			if (front != NULL || functions == NULL ||
			    functions->following == NULL)
				return false;
			break;
		case KEEPER_TIME:
			break;
		}
	}
}

static void
stop(void)
{
	if (front != NULL)
		keeper_end(keeper, front);
	/* A connection made now would wait for nobody. */
	for (struct function *f = functions; f != NULL; f = f->following)
		hide(f);
	keeper_drain(keeper);
	while (functions != NULL) {
		struct function *f = functions;

		functions = f->following;
		forget(f);
	}
}

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: supervisor --run DIR --bin DIR [--workers N] [-- FRONT...]\n");
	exit(2);
}

static const char *
worker_count(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end != '\0' || n < 1 || n > 64)
		die("--workers", "a number from 1 to 64 is needed");
	return text;
}

static const char *
directory(const char *path)
{
	char *real = realpath(path, NULL);

	if (real == NULL)
		die(path, strerror(errno));
	return real;
}

static void
read_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ "run", required_argument, NULL, 'r' },
		{ "bin", required_argument, NULL, 'b' },
		{ "workers", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; ) {
		switch (c) {
		case 'r':
			run_dir = directory(optarg);
			break;
		case 'b':
			bin_dir = directory(optarg);
			break;
		case 'w':
			workers = worker_count(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		front_command = argv + optind;
	if ((front_command != NULL && strcmp(argv[optind - 1], "--") != 0) || run_dir == NULL || bin_dir == NULL)
		usage();
}

int
main(int argc, char **argv)
{
	char path[PATH_MAX];
	bool ok;

	log_open("supervisor", "info");
	read_arguments(argc, argv);
	path_of(sockets_dir, run_dir, "fn");
	lock_run_dir();
	clear_sockets();

	keeper = keeper_new(&policy);
	ok = scan() && functions != NULL;
	if (!ok && functions == NULL)
		log_line(LOG_ERROR, "no function to run", "directory", bin_dir,
		    NULL);
	if (ok) {
		write_file("supervisor.pid", print_pid);
		if (front_command != NULL) {
			front = keeper_add(keeper, "front", -1, become_front, NULL);
			front->ends_by = SIGINT;
		}
		ok = keep_running();
		path_of(path, run_dir, "supervisor.pid");
		unlink(path);
	}
	stop();
	return ok ? 0 : 1;
}
