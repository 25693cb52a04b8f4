/*
 * image_shape.h -- the wire object `image`, as catalog.product_image_wire in
 * schema/ writes it.
 */
#ifndef IMAGE_SHAPE_H
#define IMAGE_SHAPE_H

#include "fn.h"

enum { IMAGES_MAX = 20 };	/* of a product */

/* A column of that view's rows, for anyone. */
#define IMAGE_JSON							\
	"json_build_object('id', i.id, 'imageUrl', i.\"imageUrl\", 'width', i.width," \
	" 'height', i.height, 'renditions', i.renditions)"

extern const struct shape image_shape;

#endif
