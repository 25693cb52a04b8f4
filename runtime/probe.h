/*
 * probe.h -- asks many services at once whether they are there.
 *
 * Everything that was added is asked at the same time and has the same
 * deadline; who has not answered by then is down.
 */
#ifndef PROBE_H
#define PROBE_H

#include "fn.h"

struct probes;

struct probes	*probes_new(struct req *);
/* GET /health, spoken in FastCGI to a Unix socket; 2xx is up. */
void	probes_add_fastcgi(struct probes *, const char *name, const char *path);
/* Every <function>.sock of the directory, except the asking function's own:
 * asking that could wait for the very worker that asks. */
void	probes_add_functions(struct probes *, const char *directory);
/* A login; it must be possible within the deadline too. */
void	probes_add_postgres(struct probes *, const char *name, const char *url);
/* Any answer below 500 to a HEAD of the URL. */
void	probes_add_http(struct probes *, const char *name, const char *url);

/* What depends on another that was added, and on nothing else. */
void	probes_add_same(struct probes *, const char *name, const char *other);
/* What was found out in another way. */
void	probes_add_known(struct probes *, const char *name, bool up);

void	probes_run(struct probes *, int deadline_ms);

/* How each went, in the order they were added: from *at == NULL on. */
struct probe	*probes_next(const struct probes *, struct probe *at);
const char	*probe_name(const struct probe *);
bool		 probes_all_up(const struct probes *);
bool		 probe_is_up(const struct probe *);
bool		 probe_is_fastcgi(const struct probe *);

#endif
