#include "parts.h"

#include <lcms2.h>
#include <string.h>

/* NULL where there is no profile, or one that makes no sense for such pixels. */
static cmsHTRANSFORM
transform(struct bytes profile, cmsColorSpaceSignature space, cmsUInt32Number format)
{
	cmsHPROFILE from;

	if (profile.n == 0)
		return NULL;
	from = cmsOpenProfileFromMem(profile.at, (cmsUInt32Number)profile.n);
	if (from == NULL || cmsGetColorSpace(from) != space)
		return NULL;
	return cmsCreateTransform(from, format, cmsCreate_sRGBProfile(), TYPE_BGRA_8,
	    INTENT_RELATIVE_COLORIMETRIC, cmsFLAGS_BLACKPOINTCOMPENSATION);
}

/* In their place; alpha is left alone.  Of grey pixels, whose three numbers are the
 * same, a grey profile takes the first. */
void
make_srgb(struct found *found)
{
	const cmsUInt32Number first_of_four =
	    COLORSPACE_SH(PT_GRAY) | CHANNELS_SH(1) | EXTRA_SH(3) | BYTES_SH(1);
	WebPPicture *p = &found->pixels;
	cmsUInt32Number stride = (cmsUInt32Number)p->argb_stride * 4;
	cmsHTRANSFORM way = transform(found->profile, cmsSigRgbData, TYPE_BGRA_8);

	if (way == NULL && found->grey)
		way = transform(found->profile, cmsSigGrayData, first_of_four);
	if (way != NULL)
		cmsDoTransformLineStride(way, p->argb, p->argb, (cmsUInt32Number)p->width,
		    (cmsUInt32Number)p->height, stride, stride, 0, 0);
}

/* Blue, green and red of paper with none, one or more of the inks on it: one bit
 * each, from cyan, the lowest, to key. */
static const unsigned char printed[16][3] = {
	{ 255, 255, 255 }, { 239, 174, 0 }, { 140, 0, 236 }, { 146, 49, 46 },
	{ 0, 242, 255 }, { 81, 166, 0 }, { 36, 28, 237 }, { 57, 54, 54 },
	{ 32, 31, 35 }, { 33, 20, 0 }, { 12, 0, 32 }, { 12, 0, 0 },
	{ 0, 26, 28 }, { 5, 15, 0 }, { 0, 0, 31 }, { 0, 0, 0 },
};

/* Neugebauer's way: dots of ink lie on each other as often as chance will have
 * it, and the eye takes the mean of what it sees. */
static void
mix(const unsigned char *bare, unsigned char *bgr)
{
	for (int channel = 0; channel < 3; channel++) {
		int seen[16];

		for (int i = 0; i < 16; i++)
			seen[i] = printed[i][channel];
		for (int ink = 0, left = 8; ink < 4; ink++, left /= 2)
			for (int i = 0; i < left; i++)
				seen[i] = (seen[2 * i] * bare[ink] +
				    seen[2 * i + 1] * (255 - bare[ink]) + 127) / 255;
		bgr[channel] = (unsigned char)seen[0];
	}
}

void *
ink_profile(struct bytes profile)
{
	return transform(profile, cmsSigCmykData, TYPE_CMYK_8_REV);
}

void
print_row(void *profile, const unsigned char *cmyk, unsigned char *bgra, unsigned width)
{
	memset(bgra, 0xff, (size_t)width * 4);
	if (profile != NULL)
		cmsDoTransform(profile, cmyk, bgra, width);
	else
		for (unsigned x = 0; x < width; x++)
			mix(cmyk + 4 * x, bgra + 4 * x);
}
