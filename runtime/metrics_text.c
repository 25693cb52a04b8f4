/*
 * The adding side: reads counter files and writes Prometheus' text format.
 *
 * The files are other processes' and may be of another version, so everything
 * in them is checked; one that makes no sense is counted and skipped.
 */
#include "metrics.h"
#include "listen.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics_file.h"

/* A file, mapped for as long as its samples are used. */
struct source {
	char		 binary[NAME_MAX + 1];
	void		*at;
	size_t		 size;
	bool		 up;
	struct source	*following;
};

/* One metric of one file; the texts and cells are in the mapping. */
struct sample {
	const char	*name, *labels, *help;
	bool		 histogram, gauge;
	const uint64_t	*cells;
};

struct gathered {
	struct source	*sources;
	struct sample	*samples;
	size_t		 count, room;
	unsigned	 unreadable;
};

struct page { char *buf; size_t size, length; };

static void
print(struct page *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
print(struct page *p, const char *format, ...)
{
	size_t left = p->length < p->size ? p->size - p->length : 0;
	va_list ap;

	va_start(ap, format);
	p->length += (size_t)vsnprintf(left > 0 ? p->buf + p->length : NULL,
	    left, format, ap);
	va_end(ap);
}

void
metrics_escape(char *out, size_t size, const char *value)
{
	char *end = out + size - 1;

	for (; *value != '\0' && end - out >= 2; value++) {
		if (*value == '"' || *value == '\\' || *value == '\n') {
			*out++ = '\\';
			*out++ = *value == '\n' ? 'n' : *value;
		} else {
			*out++ = *value;
		}
	}
	*out = '\0';
}

/* The string at *at, and *at behind it; NULL when none ends before end. */
static const char *
take_string(const char **at, const char *end)
{
	const char *s = *at;
	const char *nul = memchr(s, '\0', (size_t)(end - s));

	if (nul == NULL)
		return NULL;
	*at = nul + 1;
	return s;
}

static bool
take_metric(struct sample *out, const char **at, const char *end)
{
	char kind;

	if (*at == end)
		return false;
	kind = *(*at)++;
	out->histogram = kind == 'h';
	out->gauge = kind == 'g';
	return (kind == 'h' || kind == 'g' || kind == 'c') &&
	    (out->name = take_string(at, end)) != NULL &&
	    (out->labels = take_string(at, end)) != NULL &&
	    (out->help = take_string(at, end)) != NULL &&
	    *out->name != '\0' && strchr(out->labels, '\n') == NULL;
}

static bool
keep(struct gathered *g, const struct sample *sample)
{
	struct sample *grown;

	if (g->count == g->room) {
		size_t room = g->room > 0 ? 2 * g->room : 256;

		grown = realloc(g->samples, room * sizeof(*grown));
		if (grown == NULL)
			return false;
		g->samples = grown;
		g->room = room;
	}
	g->samples[g->count++] = *sample;
	return true;
}

static bool
read_samples(struct gathered *g, const struct source *source)
{
	const struct counters_header *header = source->at;
	const char *at = (const char *)(header + 1);
	const char *end = (const char *)source->at + source->size;
	const char *texts_end;
	const uint64_t *cells;
	size_t before = g->count;

	if (source->size < sizeof(*header) ||
	    memcmp(header->magic, COUNTERS_MAGIC, sizeof(header->magic)) != 0 ||
	    header->described > source->size - sizeof(*header) ||
	    header->described % sizeof(*cells) != 0)
		return false;
	texts_end = at + header->described;
	cells = (const void *)texts_end;
	for (uint32_t i = 0; i < header->metrics; i++) {
		struct sample sample = { .cells = cells };
		size_t count;

		if (!take_metric(&sample, &at, texts_end))
			break;
		count = sample.histogram ? HISTOGRAM_CELLS : 1;
		if ((size_t)(end - (const char *)cells) / sizeof(*cells) < count ||
		    !keep(g, &sample))
			break;
		cells += count;
	}
	if (g->count - before == header->metrics)
		return true;
	g->count = before;
	return false;
}

/* Does a live process hold the lock that metrics_open() takes? */
static bool
is_claimed(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static struct source *
map_source(int dir, const char *file, size_t name_len)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	struct source *s = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= COUNTERS_MAX && (s = calloc(1, sizeof(*s))) != NULL) {
		s->size = (size_t)st.st_size;
		s->up = is_claimed(fd);
		memcpy(s->binary, file, name_len);
		s->at = mmap(NULL, s->size, PROT_READ, MAP_SHARED, fd, 0);
		if (s->at == MAP_FAILED) {
			free(s);
			s = NULL;
		}
	}
	close(fd);
	return s;
}

/* The length of what stands before the suffix; 0 when it is not there. */
static size_t
stem(const char *file, const char *suffix)
{
	size_t len = strlen(file), tail = strlen(suffix);

	if (len <= tail || strcmp(file + len - tail, suffix) != 0)
		return 0;
	return len - tail;
}

static void
gather(struct gathered *g, const char *state_dir)
{
	DIR *dir = opendir(state_dir);

	if (dir == NULL) {
		g->unreadable++;
		return;
	}
	for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
		size_t len = stem(e->d_name, COUNTERS_SUFFIX);
		struct source *s;

		if (len == 0)
			continue;
		s = map_source(dirfd(dir), e->d_name, len);
		if (s != NULL) {
			s->following = g->sources;
			g->sources = s;
		}
		if (s == NULL || !read_samples(g, s))
			g->unreadable++;
	}
	closedir(dir);
}

static void
let_go(struct gathered *g)
{
	while (g->sources != NULL) {
		struct source *s = g->sources;

		g->sources = s->following;
		munmap(s->at, s->size);
		free(s);
	}
	free(g->samples);
}

static int
by_name_and_labels(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = x->histogram - y->histogram;
	return order != 0 ? order : strcmp(x->labels, y->labels);
}

static uint64_t
cell_sum(const struct sample *samples, size_t n, size_t cell)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += __atomic_load_n(&samples[i].cells[cell], __ATOMIC_RELAXED);
	return sum;
}

/* The count is that of the buckets, so that the two always agree. */
static void
print_histogram(struct page *p, const struct sample *s, size_t n)
{
	const char *comma = *s->labels != '\0' ? "," : "";
	const char *open = *s->labels != '\0' ? "{" : "";
	const char *close = *s->labels != '\0' ? "}" : "";
	uint64_t count = 0, sum = cell_sum(s, n, CELL_SUM);

	for (size_t i = 0; i < BOUNDED; i++) {
		count += cell_sum(s, n, i);
		print(p, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", s->name,
		    s->labels, comma, (double)bucket_us[i] / 1e6, count);
	}
	count += cell_sum(s, n, BOUNDED);
	print(p, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", s->name, s->labels,
	    comma, count);
	print(p, "%s_sum%s%s%s %" PRIu64 ".%06" PRIu64 "\n", s->name, open,
	    s->labels, close, sum / 1000000, sum % 1000000);
	print(p, "%s_count%s%s%s %" PRIu64 "\n", s->name, open, s->labels, close,
	    count);
}

static void
print_counter(struct page *p, const struct sample *s, size_t n)
{
	if (*s->labels != '\0')
		print(p, "%s{%s} %" PRIu64 "\n", s->name, s->labels,
		    cell_sum(s, n, 0));
	else
		print(p, "%s %" PRIu64 "\n", s->name, cell_sum(s, n, 0));
}

static void
print_head(struct page *p, const char *name, const char *help, const char *type)
{
	print(p, "# HELP %s ", name);
	for (; *help != '\0'; help++) {
		if (*help == '\\' || *help == '\n')
			print(p, "\\%c", *help == '\n' ? 'n' : '\\');
		else
			print(p, "%c", *help);
	}
	print(p, "\n# TYPE %s %s\n", name, type);
}

static void
print_samples(struct page *p, struct gathered *g)
{
	const char *name = "";

	if (g->count > 0)
		qsort(g->samples, g->count, sizeof(*g->samples),
		    by_name_and_labels);
	for (size_t i = 0, n; i < g->count; i += n) {
		const struct sample *s = &g->samples[i];

		for (n = 1; i + n < g->count &&
		    by_name_and_labels(s, s + n) == 0; n++)
			;
		if (strcmp(name, s->name) != 0)
			print_head(p, s->name, s->help,
			    s->histogram ? "histogram" :
			    s->gauge ? "gauge" : "counter");
		name = s->name;
		if (s->histogram)
			print_histogram(p, s, n);
		else
			print_counter(p, s, n);
	}
}

static const struct source *
source_of(const struct gathered *g, const char *binary, size_t len)
{
	const struct source *s = g->sources;

	while (s != NULL && (strncmp(s->binary, binary, len) != 0 ||
	    s->binary[len] != '\0'))
		s = s->following;
	return s;
}

static void
print_up(struct page *p, const char *binary, size_t len, bool up)
{
	char name[NAME_MAX + 1] = "";
	char escaped[2 * sizeof(name)];

	memcpy(name, binary, len);
	metrics_escape(escaped, sizeof(escaped), name);
	print(p, "function_up{function=\"%s\"} %d\n", escaped, up);
}

static void
print_up_by_sockets(struct page *p, const struct gathered *g, const char *sockets_dir,
    DIR *dir)
{
	for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
		size_t len = stem(e->d_name, ".sock");
		char name[NAME_MAX + 1];
		const struct source *s;

		if (len == 0)
			continue;
		memcpy(name, e->d_name, len);
		name[len] = '\0';
		s = source_of(g, name, len);
		print_up(p, name, len, (s != NULL && s->up) ||
		    listen_is_asleep(sockets_dir, name));
	}
}

static void
print_functions(struct page *p, const struct gathered *g, const char *sockets_dir)
{
	DIR *dir = sockets_dir != NULL ? opendir(sockets_dir) : NULL;

	print_head(p, "function_up", "Whether a process of the function lives, or the next request starts one.",
	    "gauge");
	if (dir != NULL) {
		print_up_by_sockets(p, g, sockets_dir, dir);
		closedir(dir);
	} else {
		for (const struct source *s = g->sources; s; s = s->following)
			print_up(p, s->binary, strlen(s->binary), s->up);
	}
	print_head(p, "function_start_time_seconds",
	    "When the function last started, in Unix time.", "gauge");
	for (const struct source *s = g->sources; s; s = s->following) {
		const struct counters_header *header = s->at;
		char escaped[2 * sizeof(s->binary)];
		uint64_t ms;

		if (!s->up || s->size < sizeof(*header))
			continue;
		ms = __atomic_load_n(&header->started, __ATOMIC_RELAXED);
		metrics_escape(escaped, sizeof(escaped), s->binary);
		print(p, "function_start_time_seconds{function=\"%s\"} %" PRIu64
		    ".%03" PRIu64 "\n", escaped, ms / 1000, ms % 1000);
	}
	print_head(p, "metrics_files_unreadable",
	    "Counter files that could not be read this time.", "gauge");
	print(p, "metrics_files_unreadable %u\n", g->unreadable);
}

size_t
metrics_text(char *buf, size_t size, const char *state_dir,
    const char *sockets_dir)
{
	struct page page = { buf, size, 0 };
	struct gathered gathered = { .unreadable = 0 };

	if (state_dir != NULL)
		gather(&gathered, state_dir);
	print_samples(&page, &gathered);
	print_functions(&page, &gathered, sockets_dir);
	let_go(&gathered);
	return page.length;
}
