/*
 * GET /media/{key}
 *
 * A picture out of the object store.  Its key is made of its content, so it is
 * for ever what it is.
 *
 * Where MEDIA_CACHE_DIR is set the picture is put there, unless it is there
 * already, and the gateway sends it (X-Sendfile): ETag, ranges and HEAD are
 * then the gateway's business, and a picture that is asked for again costs no
 * look into the store.  Without, or when the disk is full, they are ours.
 */
#include "fn.h"

#include "disk_cache.h"
#include "image.h"
#include "objects.h"
#include "range.h"

#include <string.h>

SETTING_TEXT(cache_dir, "MEDIA_CACHE_DIR", NULL,
    "Where pictures are kept for the gateway to send; unset: nowhere");
SETTING_INT(cache_mb, "MEDIA_CACHE_MB", 256, 1, 1000000,
    "MiB that are kept there");

struct input {
	const char *key;
};

ENDPOINT(show_media) = {
	.method  = HTTP_GET,
	.path    = "/media/{key}",
	.summary = "A picture",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_NONE,
	.waits   = true,
	.media_type = "image/*",
	.input   = FIELDS(
		PATH(key, STR, "As in an imageUrl", .min = 1, .max = 100, .example =
		    "\"0123456789abcdef0123456789abcdef-1-1200.jpg\"")),
	.errors  = ERRORS(ERR_NOT_FOUND, ERR_RANGE_NOT_SATISFIABLE),
};

/* <hash>-<id>-<width>.<ending>: anything else is not worth a question. */
static bool
is_key(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef"), id;

	if (n != IMAGE_HASH_LENGTH || s[n] != '-')
		return false;
	s += n + 1;
	id = strspn(s, "0123456789");
	return id >= 1 && id <= 19 && s[id] == '-' &&
	    one_of(s + id + 1, "1200.jpg", "1200.webp", "600.jpg", "600.webp", "200.jpg", "200.webp");
}

static void
trim(struct req *rq)
{
	(void)rq;
	disk_cache_trim(cache_dir.text, (size_t)cache_mb.number << 20);
}

/* The gateway sends it.  Only what it says of a range that is nowhere is not
 * as RFC 9110 wants it. */
static struct status
reply_file(struct req *rq, const struct object *o)
{
	size_t from, count;

	if (req_header(rq, "HTTP_IF_NONE_MATCH") == NULL && req_header(rq, "HTTP_IF_RANGE") == NULL &&
	    range_of(req_header(rq, "HTTP_RANGE"), o->length, &from, &count) == RANGE_NOWHERE)
		return range_refuse(rq, o->length);
	reply_header(rq, "Cache-Control", FOR_EVER);
	reply_header(rq, "X-Sendfile", fmt(rq, "%s/%s", cache_dir.text, o->key));
	return reply_bytes(rq, 200, o->type, "", 0);
}

static bool
keep(struct req *rq, const struct object *o)
{
	if (disk_cache_is_due((size_t)cache_mb.number << 20))
		after_reply(rq, trim);
	return disk_cache_put(cache_dir.text, o->key, o->bytes, o->length);
}

static struct status
show_media(struct req *rq)
{
	const struct input *in = req_input(rq);
	struct object o = { .key = in->key, .type = image_type(in->key) };
	bool cached = cache_dir.text != NULL;

	if (!is_key(in->key))
		return fail(rq, ERR_NOT_FOUND);
	if (cached && disk_cache_has(cache_dir.text, o.key, &o.length))
		return reply_file(rq, &o);
	if (!objects_get(rq, &o))
		return fail(rq, ERR_NOT_FOUND);
	if (cached && keep(rq, &o))
		return reply_file(rq, &o);
	return range_reply(rq, fmt(rq, "\"%s\"", o.key), o.type, o.bytes, o.length);
}
