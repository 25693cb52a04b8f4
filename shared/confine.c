#include "confine.h"
#include "sanitized.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A sanitizer reserves terabytes and opens files of its own: then there are no
 * limits here. */
#ifndef SANITIZED
static bool
limit(int resource, rlim_t most)
{
	return setrlimit(resource, &(struct rlimit){ most, most }) == 0;
}
#endif

bool
confine_resources(long memory_mb, long cpu_seconds)
{
	if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
		return false;
#ifdef SANITIZED
	(void)memory_mb;
	(void)cpu_seconds;
	return true;
#else
	return limit(RLIMIT_DATA, (rlim_t)memory_mb << 20) &&
	    limit(RLIMIT_CPU, (rlim_t)cpu_seconds) &&
	    limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CORE, 0);
#endif
}

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#if !defined(OUR_ARCH) || defined(SANITIZED)

bool
confine_system_calls(void)
{
	return true;	/* the limits hold everywhere */
}

#else

/* What the C library and its threads need to compute and to end.  Everything
 * else fails with EPERM, which libraries expect more than a signal. */
static const int allowed[] = {
	SYS_read, SYS_write, SYS_lseek, SYS_fstat, SYS_newfstatat, SYS_close,
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk,
	SYS_futex, SYS_set_robust_list, SYS_rseq, SYS_sched_yield, SYS_sched_getaffinity,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack,
	SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_getrandom,
	SYS_getpid, SYS_gettid, SYS_tgkill, SYS_exit, SYS_exit_group
};

enum { COUNT = sizeof(allowed) / sizeof(*allowed) };

#define LOAD(member)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, member))
#define ANSWER(what)	BPF_STMT(BPF_RET | BPF_K, what)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, skip)

bool
confine_system_calls(void)
{
	struct sock_filter filter[12 + 2 * COUNT] = {
		LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		ANSWER(SECCOMP_RET_ERRNO | EPERM), LOAD(nr) };
	size_t n = 4;

	/* A thread, not a process.  What clone3 is asked for cannot be seen:
	 * without it the C library uses clone. */
	filter[n++] = (struct sock_filter)UNLESS(SYS_clone3, 1);
	filter[n++] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | ENOSYS);
	filter[n++] = (struct sock_filter)UNLESS(SYS_clone, 4);
	filter[n++] = (struct sock_filter)LOAD(args[0]);
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1);
	filter[n++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	filter[n++] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | EPERM);
	for (size_t i = 0; i < COUNT; i++) {
		filter[n++] = (struct sock_filter)UNLESS(allowed[i], 1);
		filter[n++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	}
	filter[n++] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | EPERM);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
	    &(struct sock_fprog){ .len = (unsigned short)n, .filter = filter }) == 0;
}

#endif
