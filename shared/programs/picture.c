/*
 * picture MEMORY_MB CPU_SECONDS <PICTURE >FILES
 *
 * Makes a stranger's picture ours: read by content (JPEG, PNG or WebP; the
 * first of several frames), turned upright, in sRGB on white, without
 * metadata, at three sizes, each as JPEG and as WebP.  picture.h says how the
 * answer looks.
 *
 * A program of its own, so that what a hostile picture does to a decoder it
 * does to a process that has no secrets, no connections and no way to get any,
 * and that functions need not carry libvips around.
 */
#include "confine.h"
#include "picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vips/vips.h>
#include <webp/decode.h>

enum { JPEG_QUALITY = 85, WEBP_QUALITY = 80, WEBP_EFFORT = 2 };

static _Noreturn void
give_up(enum picture_exit status, const char *why)
{
	ssize_t written = write(STDOUT_FILENO, why, strlen(why));

	(void)written;
	_exit((int)status);
}

static void
write_all(const void *bytes, size_t n)
{
	for (const char *at = bytes; n > 0; ) {
		ssize_t written = write(STDOUT_FILENO, at, n);

		if (written <= 0)
			_exit(PICTURE_BROKEN);
		at += written;
		n -= (size_t)written;
	}
}

static bool
begins(const unsigned char *bytes, size_t n, size_t at, const char *with, size_t length)
{
	return n > at + length && memcmp(bytes + at, with, length) == 0;
}

/* From the header, before anything is decoded.  Only the reader of the format
 * that the picture begins like is asked: no guessing.  libvips itself would
 * make room for all pixels of a WebP first. */
static int64_t
count_pixels(const unsigned char *bytes, size_t n)
{
	VipsImage *image = NULL;
	void *buffer = (void *)(uintptr_t)bytes;
	int width, height;

	if (begins(bytes, n, 0, "RIFF", 4) && begins(bytes, n, 8, "WEBP", 4))
		return WebPGetInfo(bytes, n, &width, &height) ? (int64_t)width * height : 0;
	if (begins(bytes, n, 0, "\xff\xd8\xff", 3))
		vips_jpegload_buffer(buffer, n, &image, NULL);
	else if (begins(bytes, n, 0, "\x89PNG\r\n\x1a\n", 8))
		vips_pngload_buffer(buffer, n, &image, NULL);
	if (image == NULL)
		return 0;
	width = vips_image_get_width(image);
	height = vips_image_get_height(image);
	g_object_unref(image);
	return (int64_t)width * height;
}

/* One step of the way: what came out of it instead of what went in. */
static VipsImage *
then(VipsImage *before, int failed, VipsImage *const *after)
{
	if (failed != 0)
		give_up(PICTURE_UNREADABLE, vips_error_buffer());
	g_object_unref(before);
	return *after;
}

static VipsImage *
in_memory(VipsImage *image)
{
	VipsImage *copy = vips_image_copy_memory(image);

	return then(image, copy == NULL, &copy);
}

/* By the picture's own colour profile, if it makes sense.  Thumbnailing could
 * do it too, but shifts the colours of pictures that have none. */
static VipsImage *
to_srgb(VipsImage *at)
{
	VipsImage *next = NULL;

	if (vips_image_get_typeof(at, VIPS_META_ICC_NAME) != 0) {
		if (vips_icc_transform(at, &next, "srgb", "embedded", TRUE, NULL) == 0)
			at = then(at, 0, &next);
		else
			vips_error_clear();
	}
	next = NULL;
	return then(at, vips_colourspace(at, &next, VIPS_INTERPRETATION_sRGB, NULL), &next);
}

/* Savers keep some of it even when they are told not to. */
static void
forget_metadata(VipsImage *image)
{
	char **fields = vips_image_get_fields(image);

	for (char **f = fields; *f != NULL; f++)
		vips_image_remove(image, *f);
	g_strfreev(fields);
}

/* Three bands of 8 bits in memory, so that the source is read once. */
static VipsImage *
decode(const unsigned char *bytes, size_t n)
{
	VipsImage *at = NULL, *next = NULL;
	int64_t pixels = count_pixels(bytes, n);

	if (pixels == 0)
		give_up(PICTURE_UNREADABLE, vips_error_buffer());
	if (pixels > PICTURE_MAX_PIXELS)
		give_up(PICTURE_TOO_MANY_PIXELS, "too many pixels");
	/* The thumbnailer's own fail_on does not reach the loader. */
	if (vips_thumbnail_buffer((void *)(uintptr_t)bytes, n, &at, picture_bounds[0],
	    "height", picture_bounds[0], "size", VIPS_SIZE_DOWN,
	    "option_string", "[fail_on=error]", NULL) != 0)
		give_up(PICTURE_UNREADABLE, vips_error_buffer());
	at = to_srgb(at);
	if (vips_image_hasalpha(at)) {
		VipsArrayDouble *white = vips_array_double_newv(1, 255.0);

		at = then(at, vips_flatten(at, &next, "background", white, NULL), &next);
		vips_area_unref(VIPS_AREA(white));
	}
	at = then(at, vips_extract_band(at, &next, 0, "n", 3, NULL), &next);
	at = in_memory(then(at, vips_cast_uchar(at, &next, NULL), &next));
	forget_metadata(at);
	return at;
}

static size_t
little_endian(const unsigned char *b)
{
	return b[0] | (size_t)b[1] << 8 | (size_t)b[2] << 16 | (size_t)b[3] << 24;
}

/* libvips 8.14 makes up an EXIF chunk, stripped or not.  Of the RIFF file the
 * one chunk with the pixels stays. */
static void
only_pixels(unsigned char *file, size_t *n)
{
	size_t at = 12, size = 0;

	for (; at + 8 <= *n; at += size) {
		size = 8 + little_endian(file + at + 4);
		size += size % 2;
		if (memcmp(file + at, "VP8 ", 4) == 0)
			break;
	}
	if (at + 8 > *n || size > *n - at)
		give_up(PICTURE_UNREADABLE, "the WebP encoder wrote no VP8 chunk");
	memmove(file + 12, file + at, size);
	*n = 12 + size;
	for (int i = 0; i < 4; i++)
		file[4 + i] = (unsigned char)((*n - 8) >> 8 * i);
}

static void
encode(VipsImage *image, struct picture_files *files, void **bytes, int i)
{
	size_t jpeg = 0, webp = 0;

	if (vips_jpegsave_buffer(image, &bytes[i], &jpeg, "Q", JPEG_QUALITY,
	    "strip", TRUE, "optimize_coding", TRUE, NULL) != 0 ||
	    vips_webpsave_buffer(image, &bytes[i + 1], &webp, "Q", WEBP_QUALITY,
	    "strip", TRUE, "effort", WEBP_EFFORT, NULL) != 0)
		give_up(PICTURE_UNREADABLE, vips_error_buffer());
	only_pixels(bytes[i + 1], &webp);
	for (int j = i; j < i + 2; j++) {
		files->file[j].width = (uint32_t)vips_image_get_width(image);
		files->file[j].height = (uint32_t)vips_image_get_height(image);
		files->file[j].length = (uint32_t)(j == i ? jpeg : webp);
	}
}

static void
make_files(VipsImage *image)
{
	struct picture_files files;
	void *bytes[PICTURE_FILES];

	for (int i = 0; i < PICTURE_SIZES; i++) {
		VipsImage *smaller = NULL;

		if (i > 0)
			image = in_memory(then(image, vips_thumbnail_image(image, &smaller,
			    picture_bounds[i], "height", picture_bounds[i],
			    "size", VIPS_SIZE_DOWN, NULL), &smaller));
		encode(image, &files, bytes, 2 * i);
	}
	write_all(&files, sizeof(files));
	for (int i = 0; i < PICTURE_FILES; i++)
		write_all(bytes[i], files.file[i].length);
}

static void
say_nothing(const char *domain, GLogLevelFlags level, const char *message, void *data)
{
	(void)domain;
	(void)level;
	(void)message;
	(void)data;
}

int
main(int argc, char **argv)
{
	const unsigned char *bytes;
	struct stat st;

	if (argc != 3) {
		fprintf(stderr, "usage: picture MEMORY_MB CPU_SECONDS <PICTURE >FILES\n");
		return 2;
	}
	/* libvips would load its modules, among them ImageMagick and Poppler:
	 * 60 ms, and decoders that we do not want.  There are none there. */
	setenv("VIPSHOME", "/nonexistent", 1);
	g_log_set_default_handler(say_nothing, NULL);
	if (!confine_resources(atol(argv[1]), atol(argv[2])) ||
	    fstat(STDIN_FILENO, &st) != 0 || st.st_size == 0 || VIPS_INIT(argv[0]) != 0)
		return PICTURE_BROKEN;
	vips_concurrency_set(1);
	vips_cache_set_max(0);
#if VIPS_MAJOR_VERSION > 8 || VIPS_MINOR_VERSION >= 13
	vips_block_untrusted_set(TRUE);
#endif
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
	if (bytes == MAP_FAILED || !confine_system_calls())
		return PICTURE_BROKEN;
	make_files(decode(bytes, (size_t)st.st_size));
	_exit(PICTURE_MADE);
}
