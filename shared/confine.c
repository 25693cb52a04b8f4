#include "confine.h"
#include "sanitized.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
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

/* What it takes to compute, to answer and to end: memory comes and goes, what is
 * open is read and written.  Everything else fails with EPERM, which libraries
 * expect more than a signal. */
static const int allowed[] = {
	SYS_read, SYS_write, SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise,
	SYS_rt_sigreturn, SYS_exit_group
};

enum { COUNT = sizeof(allowed) / sizeof(*allowed) };

#define LOAD(member)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, member))
#define ANSWER(what)	BPF_STMT(BPF_RET | BPF_K, what)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, skip)

bool
confine_system_calls(void)
{
	struct sock_filter filter[9 + 2 * COUNT] = {
		LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		ANSWER(SECCOMP_RET_ERRNO | EPERM), LOAD(nr) };
	size_t n = 4;

	for (size_t i = 0; i < COUNT; i++) {
		filter[n++] = (struct sock_filter)UNLESS(allowed[i], 1);
		filter[n++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	}
	/* Memory to keep something in, not to run; nor can it become that, for there
	 * is no mprotect. */
	filter[n++] = (struct sock_filter)UNLESS(SYS_mmap, 3);
	filter[n++] = (struct sock_filter)LOAD(args[2]);
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
	filter[n++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
	filter[n++] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | EPERM);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
	    &(struct sock_fprog){ .len = (unsigned short)n, .filter = filter }) == 0;
}

#endif
