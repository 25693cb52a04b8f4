#include "image_shape.h"

static const struct shape rendition_shape = {
	.name = "Rendition",
	.doc = "A picture in one size and format",
	.fields = FIELDS(
		OUT(url,    STR, "Where it is", .example =
		    "\"/media/0123456789abcdef0123456789abcdef-1-600.webp\""),
		OUT(type,   STR, "image/jpeg or image/webp", .example = "\"image/webp\""),
		OUT(width,  INT, "In pixels", .example = "600"),
		OUT(height, INT, "In pixels", .example = "400")),
};

const struct shape image_shape = {
	.name = "Image",
	.doc = "A picture of a product",
	.fields = FIELDS(
		OUT(id,         ID,  "The picture", .example = "1"),
		OUT(imageUrl,   STR, "Its largest JPEG, within 1200 x 1200 pixels", .example =
		    "\"/media/0123456789abcdef0123456789abcdef-1-1200.jpg\""),
		OUT(width,      INT, "Of that, in pixels", .nullable = true, .example = "1200"),
		OUT(height,     INT, "Of that, in pixels", .nullable = true, .example = "800"),
		OUT_OBJECT(renditions, rendition_shape,
		    "It within 1200, 600 and 200 pixels, as JPEG and as WebP", .many = true)),
};
