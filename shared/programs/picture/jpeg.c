#include "parts.h"

#include <stdio.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

static _Noreturn void
fail(j_common_ptr j)
{
	char why[JMSG_LENGTH_MAX];

	j->err->format_message(j, why);
	give_up(j->err->msg_code == JERR_OUT_OF_MEMORY ? PICTURE_TOO_MUCH : PICTURE_UNREADABLE,
	    why);
}

/* The library would go on with grey where data is missing.  What else it warns
 * of does no harm to what is seen: padding, odd versions, profiles that are none. */
static void
hear(j_common_ptr j, int level)
{
	if (level >= 0)
		return;
	switch (j->err->msg_code) {
	case JWRN_JPEG_EOF:
	case JWRN_HIT_MARKER:
	case JWRN_MUST_RESYNC:
	case JWRN_HUFF_BAD_CODE:
	case JWRN_ARITH_BAD_CODE:
		fail(j);
	}
}

static struct jpeg_error_mgr *
listen(struct jpeg_error_mgr *errors)
{
	jpeg_std_error(errors);
	errors->error_exit = fail;
	errors->emit_message = hear;
	return errors;
}

/* The cosine transform leaves out what would be shrunk away anyway. */
static void
read_small(struct jpeg_decompress_struct *j)
{
	uint64_t longer = j->image_width > j->image_height ? j->image_width : j->image_height;
	unsigned part = 1;

	while (part < 8 && (longer * part + 7) / 8 < (unsigned)picture_bounds[0])
		part++;
	j->scale_num = part;
	j->scale_denom = 8;
}

/* Ink becomes light row by row, for no other format has pictures of it. */
static void
read_rows(struct jpeg_decompress_struct *j, struct bytes profile, struct shrinker *to)
{
	bool printed = j->out_color_space == JCS_CMYK;
	void *inks = printed ? ink_profile(profile) : NULL;
	JSAMPROW row = room_for(j->output_width, 4), bgra = printed ? room_for(j->output_width, 4) : row;

	while (j->output_scanline < j->output_height) {
		jpeg_read_scanlines(j, &row, 1);
		if (printed)
			print_row(inks, row, bgra, j->output_width);
		shrink_row(to, bgra);
	}
}

static int
find_orientation(const struct jpeg_decompress_struct *j)
{
	for (jpeg_saved_marker_ptr m = j->marker_list; m != NULL; m = m->next)
		if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 &&
		    memcmp(m->data, "Exif\0", 6) == 0)
			return exif_orientation((struct bytes){ m->data, m->data_length });
	return 1;
}

static struct bytes
find_profile(struct jpeg_decompress_struct *j)
{
	unsigned char *at;
	unsigned length;

	if (jpeg_read_icc_profile(j, &at, &length))
		return (struct bytes){ at, length };
	return (struct bytes){ NULL, 0 };
}

void
read_jpeg(struct found *found, struct bytes file)
{
	struct jpeg_error_mgr errors;
	struct jpeg_decompress_struct j = { .err = listen(&errors) };

	jpeg_create_decompress(&j);
	jpeg_mem_src(&j, file.at, file.n);
	jpeg_save_markers(&j, JPEG_APP0 + 1, 0xffff);
	jpeg_save_markers(&j, JPEG_APP0 + 2, 0xffff);
	jpeg_read_header(&j, TRUE);
	check_size(j.image_width, j.image_height);
	found->grey = j.jpeg_color_space == JCS_GRAYSCALE;
	found->orientation = find_orientation(&j);
	found->profile = find_profile(&j);
	if (j.out_color_space != JCS_CMYK)
		j.out_color_space = JCS_EXT_BGRA;
	read_small(&j);
	jpeg_start_decompress(&j);
	make_fitting(&found->pixels, (int)j.image_width, (int)j.image_height, picture_bounds[0]);
	read_rows(&j, found->profile,
	    shrinker(&found->pixels, (int)j.output_width, (int)j.output_height));
	if (j.out_color_space == JCS_CMYK)
		found->profile.n = 0;	/* done with */
	jpeg_finish_decompress(&j);
	jpeg_destroy_decompress(&j);
}

struct bytes
write_jpeg(const WebPPicture *picture, int quality)
{
	struct jpeg_error_mgr errors;
	struct jpeg_compress_struct j = { .err = listen(&errors) };
	unsigned char *at = NULL;
	unsigned long n = 0;

	jpeg_create_compress(&j);
	jpeg_mem_dest(&j, &at, &n);
	j.image_width = (JDIMENSION)picture->width;
	j.image_height = (JDIMENSION)picture->height;
	j.input_components = 4;
	j.in_color_space = JCS_EXT_BGRX;
	jpeg_set_defaults(&j);
	jpeg_set_quality(&j, quality, TRUE);
	j.optimize_coding = TRUE;
	jpeg_start_compress(&j, TRUE);
	while (j.next_scanline < j.image_height)
		jpeg_write_scanlines(&j, &(JSAMPROW){ row_of(picture, (int)j.next_scanline) }, 1);
	jpeg_finish_compress(&j);
	jpeg_destroy_compress(&j);
	return (struct bytes){ at, n };
}
