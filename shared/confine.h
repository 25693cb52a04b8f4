/*
 * confine.h -- a process about to read what a stranger made gives up all that
 * it does not need for it.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>

/* Closes every descriptor but the standard ones, and bounds memory (counted as
 * the kernel's RLIMIT_DATA) and processor time; no file can be written. */
bool	 confine_resources(long memory_mb, long cpu_seconds);
/* From here on only memory and the descriptors already open: no file, socket,
 * thread, process, program or code can be opened, made or started. */
bool	 confine_system_calls(void);

#endif
