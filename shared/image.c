#include "hex.h"
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

SETTING_TEXT(program, "PICTURE_PROGRAM", "../tools/picture",
    "What decodes uploaded pictures; from where the function's own binary is");
SETTING_INT(memory_mb, "PICTURE_MEMORY_MB", 512, 64, 65536,
    "MiB of memory that decoding one picture may take");
SETTING_INT(seconds, "PICTURE_SECONDS", 10, 1, 15,
    "Seconds of processor time that decoding one picture may take");
HISTOGRAM(make_seconds, "picture_duration_seconds", "",
    "Time it takes to decode a picture and encode its sizes");
COUNTER(made_total, "pictures_total", "outcome=\"made\"", "Uploaded pictures");
COUNTER(refused_total, "pictures_total", "outcome=\"refused\"", "Uploaded pictures");
COUNTER(died_total, "pictures_total", "outcome=\"died\"", "Uploaded pictures");

enum { MAX_OUTPUT = 12 << 20, WALL_FACTOR = 2 };

static char program_path[PATH_MAX];

STARTUP(find_program)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n < 0 ? 0 : n] = '\0';
	slash = strrchr(self, '/');
	if (program.text[0] == '/' || slash == NULL)
		slash = self;
	else
		slash++;
	snprintf(program_path, sizeof(program_path), "%.*s%s", (int)(slash - self), self,
	    program.text);
	if (access(program_path, X_OK) == 0)
		return true;
	fprintf(stderr, "souk: PICTURE_PROGRAM: %s: %s\n", program_path, strerror(errno));
	return false;
}

/* In a file of its own, so that nobody has to feed the program. */
static int
in_memory_file(const char *bytes, size_t n)
{
	int fd = memfd_create("picture", MFD_CLOEXEC);
	ssize_t written;

	for (size_t at = 0; fd >= 0 && at < n; at += (size_t)written) {
		written = write(fd, bytes + at, n - at);
		if (written > 0)
			continue;
		close(fd);
		return -1;
	}
	return fd;
}

/* The answer comes out of *from. */
static pid_t
start(int picture, int *from)
{
	char memory[24], cpu[24];
	char *argv[] = { program_path, memory, cpu, NULL }, *nothing[] = { NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], error;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	snprintf(memory, sizeof(memory), "%lld", (long long)memory_mb.number);
	snprintf(cpu, sizeof(cpu), "%lld", (long long)seconds.number);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, picture, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	error = posix_spawn(&child, program_path, &actions, NULL, argv, nothing);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	*from = ends[0];
	if (error == 0)
		return child;
	close(ends[0]);
	errno = error;
	return -1;
}

/* To the end, or as long and as much as is allowed. */
static size_t
read_answer(int from, char *to)
{
	uint64_t deadline = now_us() + (uint64_t)seconds.number * WALL_FACTOR * 1000000;
	struct pollfd p = { .fd = from, .events = POLLIN };
	size_t length = 0;

	while (length < MAX_OUTPUT && now_us() < deadline) {
		int ready = poll(&p, 1, (int)((deadline - now_us()) / 1000) + 1);
		ssize_t n = ready > 0 ? read(from, to + length, MAX_OUTPUT - length) : 0;

		if (ready > 0 && n == 0)
			break;
		length += n > 0 ? (size_t)n : 0;
	}
	return length;
}

/* Its exit status; -1 when it could not be started, -2 when it died. */
static int
run(const char *bytes, size_t n, char *answer, size_t *length)
{
	int picture = in_memory_file(bytes, n), from, status;
	pid_t child = picture < 0 ? -1 : start(picture, &from);

	if (picture >= 0)
		close(picture);
	if (child < 0)
		return -1;
	*length = read_answer(from, answer);
	close(from);
	kill(child, SIGKILL);	/* which one that has ended does not notice */
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

static bool
is_known(const char *b, size_t n)
{
	return (n > 3 && memcmp(b, "\xff\xd8\xff", 3) == 0) ||
	    (n > 8 && memcmp(b, "\x89PNG\r\n\x1a\n", 8) == 0) ||
	    (n > 12 && memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "WEBP", 4) == 0);
}

static void
name_by_content(struct image *image, const char *bytes, size_t n)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	EVP_Digest(bytes, n, digest, NULL, EVP_sha256(), NULL);
	*put_hex(image->hash, digest, IMAGE_HASH_LENGTH / 2) = '\0';
}

/* What the program wrote is believed only as far as it fits. */
static bool
take_files(struct image *image, const char *answer, size_t n)
{
	static const char *const names[PICTURE_FILES] = { "1200.jpg", "1200.webp",
	    "600.jpg", "600.webp", "200.jpg", "200.webp" };
	struct picture_files files;
	size_t at = sizeof(files);

	if (n < sizeof(files))
		return false;
	memcpy(&files, answer, sizeof(files));
	for (int i = 0; i < PICTURE_FILES; i++) {
		uint32_t most = (uint32_t)picture_bounds[i / 2], length = files.file[i].length;

		if (length == 0 || length > n - at || files.file[i].width - 1 >= most ||
		    files.file[i].height - 1 >= most)
			return false;
		image->file[i] = (struct image_file){ names[i], (int)files.file[i].width,
		    (int)files.file[i].height, answer + at, length };
		at += length;
	}
	name_by_content(image, answer, n);
	return at == n;
}

static const struct image *
refuse(struct req *rq, const char *field, struct metric *counter, const char *code,
    const char *message)
{
	metric_add(counter, 1);
	fail_field(rq, field, code, message);
	return NULL;
}

static const struct image *
refuse_unreadable(struct req *rq, const char *field, const char *why, size_t n)
{
	const char *first = fmt(rq, "%.*s", (int)(n < 200 ? n : 200), why);

	log_line(LOG_INFO, "a picture could not be read", "request_id", req_id(rq),
	    "problem", first, NULL);
	return refuse(rq, field, &refused_total, "unreadable",
	    "The picture is damaged or cut short");
}

const struct image *
image_make(struct req *rq, const char *field, const char *bytes, size_t n)
{
	static struct image image;
	static char *answer;
	uint64_t begun = now_us();
	size_t length = 0;
	int status;

	if (!is_known(bytes, n))
		return refuse(rq, field, &refused_total, "unsupported_type",
		    "Must be a JPEG, PNG or WebP picture");
	/* The size is that of the largest answer; what is not used costs nothing. */
	if (answer == NULL)
		answer = mmap(NULL, MAX_OUTPUT, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (answer == MAP_FAILED)
		answer = NULL;
	else
		madvise(answer, MAX_OUTPUT, MADV_DONTNEED);
	status = answer == NULL ? -1 : run(bytes, n, answer, &length);
	metric_observe_us(&make_seconds, now_us() - begun);
	if (status == PICTURE_UNREADABLE)
		return refuse_unreadable(rq, field, answer, length);
	if (status == PICTURE_TOO_MANY_PIXELS)
		return refuse(rq, field, &refused_total, "too_many_pixels",
		    "Must have at most 50 million pixels");
	if (status == PICTURE_MADE && take_files(&image, answer, length)) {
		metric_add(&made_total, 1);
		return &image;
	}
	log_line(LOG_WARN, "decoding a picture failed", "request_id", req_id(rq),
	    "status", text(rq, status), NULL);
	if (status == -1 || status == PICTURE_BROKEN) {
		fail_text(rq, ERR_UNAVAILABLE, "Pictures cannot be read now; try again shortly");
		return NULL;
	}
	return refuse(rq, field, &died_total, "undecodable",
	    "Reading the picture takes more than is allowed");
}

const char *
image_files(struct req *rq, const struct image *image)
{
	struct json *j = json_new(rq);

	json_open(j, '[');
	for (int i = 0; i < PICTURE_FILES; i++) {
		json_open(j, '{');
		json_key(j, "name");
		json_string(j, image->file[i].name);
		json_key(j, "width");
		json_int(j, image->file[i].width);
		json_key(j, "height");
		json_int(j, image->file[i].height);
		json_close(j);
	}
	return json_text(j);
}
