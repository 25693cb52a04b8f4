#include "parts.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void
fail(png_struct *png, const char *why)
{
	(void)png;
	give_up(PICTURE_UNREADABLE, why);
}

static void
ignore(png_struct *png, const char *what)
{
	(void)png;
	(void)what;
}

static void *
take(png_struct *png, size_t n)
{
	void *room = malloc(n);

	(void)png;
	if (room == NULL)
		give_up(PICTURE_TOO_MUCH, "no room for the decoder");
	return room;
}

static void
give_back(png_struct *png, void *room)
{
	(void)png;
	free(room);
}

static void
feed(png_struct *png, unsigned char *to, size_t n)
{
	struct bytes *rest = png_get_io_ptr(png);

	if (n > rest->n)
		fail(png, "ends too soon");
	memcpy(to, rest->at, n);
	rest->at += n;
	rest->n -= n;
}

/* Of what a file says of itself only two things are read. */
static void
be_deaf(png_struct *png)
{
	static const unsigned char wanted[] = "iCCP\0eXIf";

	png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
	png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, wanted, 2);
}

/* However it is stored: 8 bits of blue, green, red and alpha. */
static void
ask_for_bgra(png_struct *png)
{
	png_set_expand(png);
	png_set_scale_16(png);
	png_set_gray_to_rgb(png);
	png_set_bgr(png);
	png_set_add_alpha(png, 0xff, PNG_FILLER_AFTER);
}

/* Interlaced, the first row is whole when the last begins to come. */
static void
read_rows(png_struct *png, int passes, int width, int height, struct shrinker *to)
{
	int kept = passes > 1 ? height : 1;
	unsigned char *rows = room_for((size_t)kept, (size_t)width * 4);

	for (int pass = 1; pass <= passes; pass++)
		for (int y = 0; y < height; y++) {
			unsigned char *row = rows + (size_t)(y % kept) * (size_t)width * 4;

			png_read_row(png, row, NULL);
			if (pass == passes)
				shrink_row(to, row);
		}
	free(rows);
}

static int
find_orientation(png_struct *png, png_info *info)
{
	png_uint_32 n;
	unsigned char *exif;

	if (png_get_eXIf_1(png, info, &n, &exif) == 0)
		return 1;
	return exif_orientation((struct bytes){ exif, n });
}

static struct bytes
find_profile(png_struct *png, png_info *info)
{
	int compression;
	char *name;
	unsigned char *at;
	png_uint_32 n;

	if (png_get_iCCP(png, info, &name, &compression, &at, &n) == 0)
		return (struct bytes){ NULL, 0 };
	return (struct bytes){ at, n };
}

void
read_png(struct found *found, struct bytes file)
{
	png_struct *png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, NULL, fail, ignore,
	    NULL, take, give_back);
	png_info *info = png_create_info_struct(png);
	int width, height, passes;

	if (png == NULL || info == NULL)
		give_up(PICTURE_BROKEN, "not the libpng that this was built for");
	png_set_read_fn(png, &file, feed);
	png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);	/* ours is on pixels */
	be_deaf(png);
	png_read_info(png, info);
	width = (int)png_get_image_width(png, info);
	height = (int)png_get_image_height(png, info);
	check_size(width, height);
	found->grey = (png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR) == 0;
	ask_for_bgra(png);
	passes = png_set_interlace_handling(png);
	png_read_update_info(png, info);
	if (png_get_rowbytes(png, info) != (size_t)width * 4)
		fail(png, "has rows of another length");
	make_fitting(&found->pixels, width, height, picture_bounds[0]);
	read_rows(png, passes, width, height, shrinker(&found->pixels, width, height));
	png_read_end(png, info);
	found->orientation = find_orientation(png, info);
	found->profile = find_profile(png, info);
}
