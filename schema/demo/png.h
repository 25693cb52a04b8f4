/*
 * png.h -- writes a picture of 8-bit RGB as a PNG file.
 */
#ifndef DEMO_PNG_H
#define DEMO_PNG_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

static inline void
png_u32(unsigned char *to, unsigned long n)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(n >> (24 - 8 * i));
}

static inline void
png_chunk(FILE *file, const char *type, const unsigned char *data, size_t len)
{
	unsigned char word[4];
	unsigned long crc = crc32(crc32(0, NULL, 0), (const Bytef *)type, 4);

	png_u32(word, len);
	fwrite(word, 1, 4, file);
	fwrite(type, 1, 4, file);
	if (len > 0)
		fwrite(data, 1, len, file);
	png_u32(word, len > 0 ? crc32(crc, data, (uInt)len) : crc);
	fwrite(word, 1, 4, file);
}

/* Each line as its difference from the one above: flat colours become zeros. */
static inline unsigned char *
png_pack(const unsigned char *rgb, unsigned side, uLongf *len)
{
	size_t line = 3 * (size_t)side;
	unsigned char *raw = calloc(side, line + 1);
	unsigned char *packed = malloc(*len = compressBound(side * (line + 1)));

	if (raw != NULL && packed != NULL) {
		for (size_t y = 0; y < side; y++) {
			unsigned char *to = raw + y * (line + 1);

			*to++ = y == 0 ? 0 : 2;
			for (size_t i = 0; i < line; i++, rgb++)
				*to++ = (unsigned char)(*rgb - (y == 0 ? 0 : rgb[-(ptrdiff_t)line]));
		}
		if (compress2(packed, len, raw, side * (line + 1),
		    Z_DEFAULT_COMPRESSION) != Z_OK)
			*len = 0;
	}
	free(raw);
	return packed;
}

/* All of the file or none: readers never see half a picture. */
static inline bool
png_write(const char *path, const unsigned char *rgb, unsigned side)
{
	unsigned char header[13] = { [8] = 8, [9] = 2 };	/* 8 bits, RGB */
	uLongf len;
	unsigned char *packed = png_pack(rgb, side, &len);
	char scratch[4200];
	FILE *file;
	bool ok;

	snprintf(scratch, sizeof(scratch), "%s.tmp", path);
	file = packed != NULL && len > 0 ? fopen(scratch, "wb") : NULL;
	if (file == NULL) {
		free(packed);
		return false;
	}
	png_u32(header, side);
	png_u32(header + 4, side);
	fwrite("\x89PNG\r\n\x1a\n", 1, 8, file);
	png_chunk(file, "IHDR", header, sizeof(header));
	png_chunk(file, "IDAT", packed, len);
	png_chunk(file, "IEND", NULL, 0);
	free(packed);
	ok = !ferror(file);
	ok = fclose(file) == 0 && ok;
	return ok && rename(scratch, path) == 0;
}

#endif
