/*
 * log.h -- building one log line; log_line() of fn.h is the usual way.
 */
#ifndef LOG_H
#define LOG_H

#include "fn.h"

/* A long value is cut, so that a line always keeps its end. */
enum { LOG_VALUE = 1024 };
struct log_text { size_t length; char bytes[16 << 10]; };

bool	 log_open(const char *program, const char *least_level);
void	 log_to(int fd);		/* and not to stderr */
bool	 log_wants(enum level);
void	 log_begin(struct log_text *, enum level);
void	 log_put(struct log_text *, const char *key, const char *value);
void	 log_put_number(struct log_text *, const char *key, long long);
void	 log_put_raw(struct log_text *, const char *key, const char *json);
void	 log_end(struct log_text *);

#endif
