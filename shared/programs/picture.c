/*
 * picture MEMORY_MB CPU_SECONDS <PICTURE >FILES
 *
 * Makes a stranger's picture ours: read by content (JPEG, PNG or WebP; the
 * first of several frames), turned upright, in sRGB on white, without
 * metadata, at three sizes, each as JPEG and as WebP.  picture.h says how the
 * answer looks.
 *
 * A program of its own, so that what a hostile picture does to a decoder it
 * does to a process that has no secrets, no connections and no way to get any.
 */
#include "confine.h"
#include "picture/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JPEG_QUALITY = 85, WEBP_QUALITY = 80, WEBP_EFFORT = 2 };

void
give_up(enum picture_exit status, const char *why)
{
	ssize_t written = write(STDOUT_FILENO, why, strlen(why));

	(void)written;
	_exit((int)status);
}

void
check_size(int64_t width, int64_t height)
{
	if (width * height > PICTURE_MAX_PIXELS)
		give_up(PICTURE_TOO_MANY_PIXELS, "too many pixels");
}

void *
room_for(size_t n, size_t size)
{
	void *room = calloc(n, size);

	if (room == NULL)
		give_up(PICTURE_TOO_MUCH, "no room for its pixels");
	return room;
}

void
make_room(WebPPicture *picture, int width, int height)
{
	if (!WebPPictureInit(picture))
		give_up(PICTURE_BROKEN, "not the libwebp that this was built for");
	picture->use_argb = 1;
	picture->width = width;
	picture->height = height;
	if (!WebPPictureAlloc(picture))
		give_up(PICTURE_TOO_MUCH, "no room for its pixels");
}

unsigned char *
row_of(const WebPPicture *picture, int y)
{
	return (unsigned char *)(picture->argb + (ptrdiff_t)y * picture->argb_stride);
}

static bool
begins(struct bytes file, size_t at, const char *with, size_t length)
{
	return file.n > at + length && memcmp(file.at + at, with, length) == 0;
}

/* Only the reader of the format that the picture begins like is asked: no guessing. */
static void
decode(struct bytes file, struct found *found)
{
	if (begins(file, 0, "\xff\xd8\xff", 3))
		read_jpeg(found, file);
	else if (begins(file, 0, "\x89PNG\r\n\x1a\n", 8))
		read_png(found, file);
	else if (begins(file, 0, "RIFF", 4) && begins(file, 8, "WEBP", 4))
		read_webp(found, file);
	else
		give_up(PICTURE_UNREADABLE, "is neither JPEG nor PNG nor WebP");
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

static void
shrink(WebPPicture *picture, int bound)
{
	WebPPicture smaller;
	struct shrinker *to;

	make_fitting(&smaller, picture->width, picture->height, bound);
	to = shrinker(&smaller, picture->width, picture->height);
	for (int y = 0; y < picture->height; y++)
		shrink_row(to, row_of(picture, y));
	WebPPictureFree(picture);
	*picture = smaller;
}

static void
make_files(WebPPicture *picture)
{
	struct picture_files files;
	struct bytes made[PICTURE_FILES];

	for (int i = 0; i < PICTURE_FILES; i++) {
		if (i % 2 == 0 && i > 0)
			shrink(picture, picture_bounds[i / 2]);
		made[i] = i % 2 == 0 ? write_jpeg(picture, JPEG_QUALITY) :
		    write_webp(picture, WEBP_QUALITY, WEBP_EFFORT);
		files.file[i].width = (uint32_t)picture->width;
		files.file[i].height = (uint32_t)picture->height;
		files.file[i].length = (uint32_t)made[i].n;
	}
	write_all(&files, sizeof(files));
	for (int i = 0; i < PICTURE_FILES; i++)
		write_all(made[i].at, made[i].n);
}

int
main(int argc, char **argv)
{
	struct found found = { .grey = false };
	struct bytes file;
	struct stat st;

	if (argc != 3) {
		fprintf(stderr, "usage: picture MEMORY_MB CPU_SECONDS <PICTURE >FILES\n");
		return 2;
	}
	if (!confine_resources(atol(argv[1]), atol(argv[2])) ||
	    fstat(STDIN_FILENO, &st) != 0 || st.st_size == 0)
		return PICTURE_BROKEN;
	file.n = (size_t)st.st_size;
	file.at = mmap(NULL, file.n, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
	if (file.at == MAP_FAILED || !confine_system_calls())
		return PICTURE_BROKEN;
	decode(file, &found);
	make_srgb(&found);
	WebPBlendAlpha(&found.pixels, 0xffffff);
	turn_upright(&found.pixels, found.orientation);
	make_files(&found.pixels);
	_exit(PICTURE_MADE);
}
