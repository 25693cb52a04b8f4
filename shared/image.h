/*
 * image.h -- an uploaded picture becomes ours.
 *
 * It is decoded by the program `picture`, in a process without secrets and
 * with bounded memory and time (picture.c).  That costs 2 ms to start it beside 30
 * and more of decoding and encoding; and however a decoder dies of it, the client
 * learns that the picture is to blame.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include "fn.h"
#include "picture.h"

enum { IMAGE_HASH_LENGTH = 32 };

struct image_file {
	const char	*name;		/* "1200.jpg" */
	int		 width, height;
	const char	*bytes;
	size_t		 length;
};

struct image {
	char		 hash[IMAGE_HASH_LENGTH + 1];	/* of all files */
	struct image_file file[PICTURE_FILES];
};

/* NULL after refusing the request and naming the field.  What it returns
 * stays until the next call. */
const struct image *image_make(struct req *, const char *field, const char *bytes, size_t);
/* Their names and sizes, as media.picture keeps them. */
const char	*image_files(struct req *, const struct image *);
/* By the ending of the name; NULL when it is none of ours. */
const char	*image_type(const char *name);

#endif
