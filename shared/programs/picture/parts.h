/*
 * parts.h -- the parts of the program `picture`.
 *
 * From its file to the last of ours a picture is a WebPPicture with use_argb:
 * rows of blue, green, red and alpha, 8 bits each, which all three decoders can
 * write and both encoders can read.
 *
 * Whatever goes wrong ends the program at once, from within whatever library
 * has noticed: there are no errors to hand on, and what the process has is given
 * back when it ends.
 */
#ifndef PARTS_H
#define PARTS_H

#include "picture.h"

#include <stdbool.h>
#include <stddef.h>
#include <webp/encode.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "0xaarrggbb is not blue, green, red, alpha");

struct bytes { const unsigned char *at; size_t n; };

/* What a file says, in the largest of our sizes. */
struct found {
	WebPPicture	 pixels;
	bool		 grey;
	int		 orientation;	/* as in EXIF, 1 to 8; anything else is 1 */
	struct bytes	 profile;	/* ICC; none where n is 0 */
};

_Noreturn void	 give_up(enum picture_exit, const char *why);
/* Before anything of that size is asked for. */
void		 check_size(int64_t width, int64_t height);
/* Of zeros, or there is none and that was all. */
void		*room_for(size_t n, size_t size);
void		 make_room(WebPPicture *, int width, int height);
unsigned char	*row_of(const WebPPicture *, int y);

/* So that neither is more than the bound, nor less than a pixel. */
void		 fit(int *width, int *height, int bound);
void		 make_fitting(WebPPicture *, int width, int height, int bound);
/* Wants all rows of that size, from the first to the last. */
struct shrinker	*shrinker(WebPPicture *to, int width, int height);
void		 shrink_row(struct shrinker *, const unsigned char *bgra);

void		 read_jpeg(struct found *, struct bytes);
void		 read_png(struct found *, struct bytes);
void		 read_webp(struct found *, struct bytes);
struct bytes	 write_jpeg(const WebPPicture *, int quality);
struct bytes	 write_webp(const WebPPicture *, int quality, int effort);

/* By its own profile, where that makes sense. */
void		 make_srgb(struct found *);
/* Of rows of cyan, magenta, yellow and key, where 255 is no ink: Adobe's way, which
 * everybody follows.  Without a profile, NULL, it is what ink usually looks like. */
void		*ink_profile(struct bytes);
void		 print_row(void *profile, const unsigned char *cmyk, unsigned char *bgra,
		    unsigned width);

int		 exif_orientation(struct bytes);
void		 turn_upright(WebPPicture *, int orientation);

#endif
