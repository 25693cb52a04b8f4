/*
 * picture.h -- what passes between a function and the program `picture`.
 *
 * The program reads a picture from standard input and writes to standard
 * output struct picture_files and then the files, one after another; or it
 * exits with one of the codes below and has written why.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdint.h>

enum {
	PICTURE_SIZES = 3,		/* each as JPEG and as WebP */
	PICTURE_FILES = 2 * PICTURE_SIZES,
	PICTURE_MAX_PIXELS = 50000000
};

struct picture_files {
	struct { uint32_t width, height, length; } file[PICTURE_FILES];
};

/* In pixels, the longer side; file 2 * i is a JPEG, 2 * i + 1 a WebP. */
static const int picture_bounds[PICTURE_SIZES] = { 1200, 600, 200 };

enum picture_exit {
	PICTURE_MADE = 0,
	PICTURE_UNREADABLE = 10,	/* cut short, damaged, or not what it begins like */
	PICTURE_TOO_MANY_PIXELS = 11,
	PICTURE_TOO_MUCH = 12,		/* wants more memory than it may have */
	PICTURE_BROKEN = 70		/* the program or its surroundings, not the picture */
};

#endif
