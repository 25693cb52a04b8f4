/*
 * POST /api/products/{id}/upload-image
 *
 * Adds a picture to a product, after those it has.  What is kept is not what
 * was sent, but what it shows (image.h).
 *
 * First the picture is written down, then stored, then shown, each for good
 * before the next: whoever dies in between leaves a picture that nobody shows,
 * which media-collect finds, and never a product that shows what is not there.
 */
#include "fn.h"

#include "image.h"
#include "image_shape.h"
#include "objects.h"

#include <string.h>

struct input {
	const char *id;
	const struct file *image;
};

QUERY(count_images,
	"SELECT (SELECT count(*) FROM catalog.product_image i WHERE i.product_id = p.id) AS n"
	"  FROM catalog.product p WHERE p.id = $1"
	"   AND p.deleted_at IS NULL AND ($3::boolean OR p.seller_id = $2)");

/* One that is written down and unused is safe from collection again. */
QUERY(write_down,
	"INSERT INTO media.picture AS p (hash, files) VALUES ($1, $2)"
	" ON CONFLICT (hash) DO UPDATE SET unused_since ="
	"    CASE WHEN p.unused_since IS NOT NULL THEN now() END"
	" RETURNING id, media.key(p, '') AS key");

QUERY(show_picture,
	"SELECT catalog.show_picture($1, $2, $3, $4, $5, $6, $7) AS id");

QUERY(find_image,
	"SELECT " IMAGE_JSON " FROM catalog.product_image_wire i WHERE id = $1");

ENDPOINT(upload_image) = {
	.method  = HTTP_POST,
	.path    = "/api/products/{id}/upload-image",
	.summary = "Add a picture to a product",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.commit  = COMMIT_EACH,
	.purges  = "products",
	.idempotent = true,
	.multipart = true,
	.max_body = (5 << 20) + (64 << 10),
	.timeout_s = 60,
	.input   = FIELDS(
		PATH(id,    ID,   "The product", .example = "1"),
		BODY(image, FILE, "A JPEG, PNG or WebP of at most 50 million pixels",
		    .required = true, .max = 5 << 20)),
	.answer  = &image_shape,
	.errors  = ERRORS(ERR_NOT_FOUND, ERR_TOO_MANY_IMAGES),
};

static void
store(struct req *rq, const struct image *image, const char *key)
{
	struct object objects[PICTURE_FILES];

	for (int i = 0; i < PICTURE_FILES; i++)
		objects[i] = (struct object){ fmt(rq, "%s%s", key, image->file[i].name),
		    image_type(image->file[i].name), image->file[i].bytes, image->file[i].length };
	objects_put(rq, objects, PICTURE_FILES);
}

/* What an earlier try with the same key has added before it died. */
static const char *
added_before(struct req *rq)
{
	const char *reference = req_reference(rq);	/* "image 7" */

	return reference == NULL ? NULL : reference + strcspn(reference, " ") + 1;
}

/* The id of the product's new image. */
static const char *
add(struct req *rq, const struct input *in, const struct image *image)
{
	const struct row *picture = db_one(rq, &write_down, image->hash, image_files(rq, image));

	fault_point("upload_written_down");
	store(rq, image, row_text(picture, "key"));
	fault_point("upload_stored");
	return row_text(db_one(rq, &show_picture, in->id, row_text(picture, "id"),
	    text(rq, IMAGES_MAX), req_user(rq), req_is(rq, ACCESS_ADMIN) ? "true" : "false",
	    req_idempotency_key(rq), req_fingerprint(rq)), "id");
}

static struct status
upload_image(struct req *rq)
{
	const struct input *in = req_input(rq);
	const char *id = added_before(rq);
	const struct row *product = db_one(rq, &count_images, in->id, req_user(rq),
	    req_is(rq, ACCESS_ADMIN) ? "true" : "false");
	const struct image *image = NULL;

	if (product == NULL)
		return fail(rq, ERR_NOT_FOUND);
	if (id == NULL && row_int(product, "n") >= IMAGES_MAX)
		return fail(rq, ERR_TOO_MANY_IMAGES);
	if (id == NULL && (image = image_make(rq, "image", in->image->bytes,
	    in->image->length)) != NULL)
		id = add(rq, in, image);
	fault_point("upload_shown");
	return reply_row(rq, 200, db_one(rq, &find_image, id));
}
