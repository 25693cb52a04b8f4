/*
 * otlp.h -- spans on their way to a collector: OTLP/HTTP with JSON.
 *
 * One process of a function gathers what the others send it and posts it in
 * batches.  It waits for the collector, and nobody for it: what it has no room for
 * is dropped and counted.  Without OTEL_EXPORTER_OTLP_ENDPOINT there is none.
 */
#ifndef OTLP_H
#define OTLP_H

#include <stdbool.h>

/* Before the processes fork.  False: a setting is not as it should be, and says
 * so. */
bool	 otlp_open(const char *function);
bool	 otlp_is_on(void);
/* The exporter, until SIGTERM and until nobody sends any more. */
int	 otlp_export(void);
/* The same beside a process that has no master. */
void	 otlp_begin(void);
void	 otlp_end(void);

#endif
