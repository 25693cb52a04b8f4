/*
 * What a confined process can do still, and what not any more.
 */
#include "confine.h"
#include "sanitized.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What the work exits with in a process of its own; minus the signal it died of. */
static int
in_a_process(int (*work)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(work());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int
closes_what_is_open(void)
{
	int fd = dup(STDIN_FILENO);

	if (fd < 0 || !confine_resources(64, 10))
		return 1;
	return fcntl(fd, F_GETFD) < 0 && errno == EBADF ? 0 : 2;
}

#ifndef SANITIZED

static int
takes_too_much_memory(void)
{
	if (!confine_resources(64, 10))
		return 1;
	if (mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		return 2;
	return mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED ? 0 : 3;
}

static int
takes_too_much_time(void)
{
	if (!confine_resources(64, 1))
		return 1;
	for (volatile uint64_t i = 0; ; i++)
		continue;
}

static int
writes_a_file(void)
{
	char name[] = "/tmp/souk-confine-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	signal(SIGXFSZ, SIG_IGN);
	if (fd != 3 || dup2(fd, STDOUT_FILENO) < 0 || !confine_resources(64, 10))
		return 1;
	return write(STDOUT_FILENO, "x", 1) < 0 && errno == EFBIG ? 0 : 2;
}

static bool
is_forbidden(long result)
{
	return result < 0 && errno == EPERM;
}

static int
does_what_is_forbidden(void)
{
	char program[] = "/bin/true", *argv[] = { program, NULL };

	if (!confine_system_calls())
		return 1;
	if (!is_forbidden(open("/etc/passwd", O_RDONLY)))
		return 2;
	if (!is_forbidden(socket(AF_INET, SOCK_STREAM, 0)))
		return 3;
	if (!is_forbidden(fork()))
		return 4;
	if (!is_forbidden(execv(program, argv)))
		return 5;
	if (!is_forbidden(kill(getppid(), 0)))
		return 6;
	if (!is_forbidden(unlink("/tmp/nothing-of-that-name")))
		return 7;
	return 0;
}

static void *
do_nothing(void *data)
{
	return data;
}

static int
makes_what_could_be_run(void)
{
	enum { PAGE = 4096, WRITE = PROT_READ | PROT_WRITE, FRESH = MAP_PRIVATE | MAP_ANONYMOUS };
	pthread_t thread;
	void *page;

	if (!confine_system_calls())
		return 1;
	page = mmap(NULL, PAGE, WRITE, FRESH, -1, 0);
	if (page == MAP_FAILED)
		return 2;
	if (!is_forbidden(mprotect(page, PAGE, PROT_READ | PROT_EXEC)))
		return 3;
	if (mmap(NULL, PAGE, WRITE | PROT_EXEC, FRESH, -1, 0) != MAP_FAILED || errno != EPERM)
		return 4;
	if (pthread_create(&thread, NULL, do_nothing, NULL) == 0)
		return 5;
	return 0;
}

static int
does_what_is_allowed(void)
{
	char *bytes, *more;

	if (!confine_resources(64, 10) || !confine_system_calls())
		return 1;
	bytes = malloc(8 << 20);
	if (bytes == NULL)
		return 2;
	bytes[4 << 20] = 1;
	more = realloc(bytes, 16 << 20);
	if (more == NULL || more[4 << 20] != 1)
		return 3;
	free(more);
	return write(STDOUT_FILENO, "", 0) == 0 ? 0 : 4;
}

static void
is_bounded(void **state)
{
	(void)state;
	assert_int_equal(in_a_process(takes_too_much_memory), 0);
	assert_int_equal(in_a_process(takes_too_much_time), -SIGKILL);
	assert_int_equal(in_a_process(writes_a_file), 0);
}

static void
can_compute_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(in_a_process(does_what_is_forbidden), 0);
	assert_int_equal(in_a_process(makes_what_could_be_run), 0);
	assert_int_equal(in_a_process(does_what_is_allowed), 0);
}

#endif

static void
keeps_only_the_standard_descriptors(void **state)
{
	(void)state;
	assert_int_equal(in_a_process(closes_what_is_open), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_only_the_standard_descriptors),
#ifndef SANITIZED
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(can_compute_and_nothing_else),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
