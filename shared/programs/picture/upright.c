#include "parts.h"

#include <string.h>

/* Of a TIFF's numbers, in its own order of bytes; 0 where it ends before. */
static size_t
number(struct bytes tiff, size_t at, size_t size)
{
	size_t value = 0;

	if (at > tiff.n || size > tiff.n - at)
		return 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | tiff.at[at + (*tiff.at == 'M' ? i : size - 1 - i)];
	return value;
}

/* One number of a file that cameras write wrong in many ways is no reason for a
 * library that reads all of it. */
int
exif_orientation(struct bytes exif)
{
	enum { ORIENTATION = 0x0112, SHORT = 3, ENTRY = 12 };
	size_t at, entries;

	if (exif.n > 6 && memcmp(exif.at, "Exif\0", 6) == 0)
		exif = (struct bytes){ exif.at + 6, exif.n - 6 };
	if (exif.n < 8 || (memcmp(exif.at, "II*", 4) != 0 && memcmp(exif.at, "MM\0*", 4) != 0))
		return 1;
	at = number(exif, 4, 4);
	entries = number(exif, at, 2);
	for (at += 2; entries > 0; entries--, at += ENTRY)
		if (number(exif, at, 2) == ORIENTATION && number(exif, at + 2, 2) == SHORT)
			return (int)number(exif, at + 8, 2);
	return 1;
}

/* 2, 3, 7 and 8 were held with the left to the right, 3, 4, 6 and 7 with the top
 * down, and from 5 on on a side. */
void
turn_upright(WebPPicture *p, int orientation)
{
	bool mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
	bool reversed = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
	bool lying = orientation > 4;
	WebPPicture to;

	if (orientation < 2 || orientation > 8)
		return;
	make_room(&to, lying ? p->height : p->width, lying ? p->width : p->height);
	for (int y = 0; y < to.height; y++)
		for (int x = 0; x < to.width; x++) {
			int from_x = lying ? y : x, from_y = lying ? x : y;

			from_x = mirrored ? p->width - 1 - from_x : from_x;
			from_y = reversed ? p->height - 1 - from_y : from_y;
			to.argb[y * to.argb_stride + x] = p->argb[from_y * p->argb_stride + from_x];
		}
	WebPPictureFree(p);
	*p = to;
}
