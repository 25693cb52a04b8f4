/*
 * The counting side: it finds every metric linked into the binary in the ELF
 * section they are declared in, and maps their cells.
 */
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "metrics_file.h"

SETTING_TEXT(state_dir, "FN_STATE_DIR", NULL,
    "Directory of the counter files, one a function; without it counters end"
    " with the process");

/* Absent from a binary that counts nothing. */
extern struct metric *const __start_metrics[] __attribute__((weak));
extern struct metric *const __stop_metrics[] __attribute__((weak));

static struct metric **registered;
static size_t registered_count;

/* The image of a file whose cells are all zero. */
struct image { char *bytes; size_t size, described; };

static void *
must(void *p)
{
	if (p == NULL) {
		log_line(LOG_ERROR, "out of memory", NULL);
		exit(1);
	}
	return p;
}

const char *
metrics_dir(void)
{
	return state_dir.text;
}

void
metrics_register(struct metric *m)
{
	size_t n = registered_count + 1;

	registered = must(realloc(registered, n * sizeof(*registered)));
	registered[registered_count++] = m;
}

static size_t
declared_count(void)
{
	return (size_t)(__stop_metrics - __start_metrics);
}

static size_t
metrics_count(void)
{
	return declared_count() + registered_count;
}

static struct metric *
metric_at(size_t i)
{
	size_t declared = declared_count();

	return i < declared ? __start_metrics[i] : registered[i - declared];
}

static size_t
cells_of(const struct metric *m)
{
	return m->histogram ? HISTOGRAM_CELLS : 1;
}

static char *
put(char *at, const char *s)
{
	return stpcpy(at, s) + 1;
}

static struct image
build_image(void)
{
	struct counters_header header = { .magic = COUNTERS_MAGIC };
	struct image image = { .described = 0 };
	size_t cells = 0;
	char *at;

	for (size_t i = 0; i < metrics_count(); i++) {
		const struct metric *m = metric_at(i);

		image.described += 1 + strlen(m->name) + 1 +
		    strlen(m->labels) + 1 + strlen(m->help) + 1;
		cells += cells_of(m);
	}
	image.described = (image.described + 7) & ~(size_t)7;
	image.size = sizeof(header) + image.described + cells * sizeof(uint64_t);
	image.bytes = must(calloc(1, image.size));

	memcpy(header.magic, COUNTERS_MAGIC, sizeof(header.magic));
	header.metrics = (uint32_t)metrics_count();
	header.described = (uint32_t)image.described;
	memcpy(image.bytes, &header, sizeof(header));
	at = image.bytes + sizeof(header);
	for (size_t i = 0; i < metrics_count(); i++) {
		const struct metric *m = metric_at(i);

		*at++ = m->histogram ? 'h' : m->gauge ? 'g' : 'c';
		at = put(put(put(at, m->name), m->labels), m->help);
	}
	return image;
}

/*
 * While any process has the file open, so has this lock an owner: forked
 * workers inherit it and the kernel drops it with the last of them.
 */
static void
claim(int fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &lock) != 0)
		log_line(LOG_WARN, "cannot lock the counters", "error",
		    strerror(errno), NULL);
}

static char *
map(int fd, size_t size)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* The file of an earlier start, when it counts the very same things. */
static char *
open_same(const char *path, const struct image *image)
{
	size_t fixed = offsetof(struct counters_header, started);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char *at = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && (size_t)st.st_size == image->size)
		at = map(fd, image->size);
	if (at != NULL && (memcmp(at, image->bytes, fixed) != 0 ||
	    memcmp(at + sizeof(struct counters_header),
	    image->bytes + sizeof(struct counters_header),
	    image->described) != 0)) {
		munmap(at, image->size);
		at = NULL;
	}
	if (at == NULL)
		close(fd);
	else
		claim(fd);
	return at;
}

static char *
create(const char *path, const struct image *image)
{
	char unnamed[PATH_MAX + 16];
	char *at = NULL;
	int fd;

	snprintf(unnamed, sizeof(unnamed), "%s.%ld", path, (long)getpid());
	fd = open(unnamed, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	/* Written, not only made long: a full disk must not show as SIGBUS. */
	if (fd >= 0 && write(fd, image->bytes, image->size) == (ssize_t)image->size)
		at = map(fd, image->size);
	if (at != NULL && rename(unnamed, path) == 0) {
		claim(fd);
		return at;
	}
	log_line(LOG_WARN, "counters will not outlive this process", "file",
	    path, "error", strerror(errno), NULL);
	if (at != NULL)
		munmap(at, image->size);
	if (fd >= 0) {
		close(fd);
		unlink(unnamed);
	}
	return NULL;
}

static char *
in_memory(const struct image *image)
{
	char *at = mmap(NULL, image->size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return must(NULL);
	memcpy(at, image->bytes, image->size);
	return at;
}

static void
hand_out_cells(char *at, const struct image *image)
{
	struct counters_header *header = (void *)at;
	uint64_t *cells = (void *)(at + sizeof(*header) + image->described);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	__atomic_store_n(&header->started, (uint64_t)now.tv_sec * 1000 +
	    (uint64_t)now.tv_nsec / 1000000, __ATOMIC_RELAXED);
	for (size_t i = 0; i < metrics_count(); i++) {
		metric_at(i)->cells = cells;
		cells += cells_of(metric_at(i));
	}
}

void
metrics_open(const char *binary)
{
	struct image image = build_image();
	char path[PATH_MAX];
	char *at = NULL;

	if (state_dir.text != NULL) {
		snprintf(path, sizeof(path), "%s/%s" COUNTERS_SUFFIX,
		    state_dir.text, binary);
		at = open_same(path, &image);
		if (at == NULL)
			at = create(path, &image);
	}
	if (at == NULL)
		at = in_memory(&image);
	hand_out_cells(at, &image);
	free(image.bytes);
}

static void
add(uint64_t *cell, uint64_t n)
{
	__atomic_fetch_add(cell, n, __ATOMIC_RELAXED);
}

/* Before metrics_open(), as in a request from the shell, nothing is counted. */
void
metric_add(struct metric *m, uint64_t n)
{
	if (m->cells != NULL)
		add(m->cells, n);
}

void
metric_set(struct metric *m, uint64_t value)
{
	if (m->cells != NULL)
		__atomic_store_n(m->cells, value, __ATOMIC_RELAXED);
}

void
metric_observe_us(struct metric *m, uint64_t microseconds)
{
	size_t bucket = 0;

	if (m->cells == NULL)
		return;
	while (bucket < BOUNDED && microseconds > bucket_us[bucket])
		bucket++;
	add(&m->cells[bucket], 1);
	add(&m->cells[CELL_SUM], microseconds);
}
