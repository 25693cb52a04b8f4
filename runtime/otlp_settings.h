/*
 * otlp_settings.h -- what OpenTelemetry's variables say: where spans go, what all of
 * them say of where they come from, and which traces are exported.
 *
 * A variable that would have them go otherwise than they do (another protocol,
 * compressed, with a certificate of ours) stops the function and says so.
 */
#ifndef OTLP_SETTINGS_H
#define OTLP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct otlp_collector {
	char	 host[256], port[8], path[512];
	char	 headers[8 << 10];		/* "Name: value\r\n" */
	bool	 tls;
	const char *authorities;		/* PEM, in a file; NULL: the system's */
	int64_t	 patience_ms;
};

/* Are any to be exported? */
bool	 otlp_is_asked_for(void);
/* False: something is not as it should be, and said so. */
bool	 otlp_read_settings(const char *function);

const struct otlp_collector *otlp_collector(void);
/* Of the resource: "{...},{...}" */
const char *otlp_attributes(void);

/* Is a trace exported?  told: by who began it, or NULL when it begins here. */
bool	 otlp_samples(const char *trace_id, const bool *told);

#endif
