/*
 * metrics_file.h -- the layout of a counter file, between who writes it
 * (metrics.c) and who reads it (metrics_text.c).
 *
 *   struct counters_header
 *   per metric: one byte, 'c', 'g' or 'h', then name, labels and help, each ending
 *     with NUL
 *   zero bytes up to a multiple of 8
 *   per metric: its cells
 */
#ifndef METRICS_FILE_H
#define METRICS_FILE_H

#include <stdint.h>

#define COUNTERS_MAGIC	"SOUKCNT1"
#define COUNTERS_SUFFIX	".counters"

/* Upper bounds of a histogram's buckets in microseconds; one more has none. */
static const uint64_t bucket_us[] = {
	500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
	1000000, 2500000, 5000000, 10000000
};

enum {
	BOUNDED = sizeof(bucket_us) / sizeof(*bucket_us),
	CELL_SUM = BOUNDED + 1,		/* after the unbounded bucket */
	HISTOGRAM_CELLS,
	COUNTERS_MAX = 4 << 20		/* bytes of a file worth reading */
};

struct counters_header {
	char		magic[8];
	uint32_t	metrics;
	uint32_t	described;	/* bytes of the descriptions, padded */
	uint64_t	started;	/* when the function did, Unix time in ms */
};

#endif
