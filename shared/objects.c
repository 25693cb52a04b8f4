#include "objects.h"
#include "hex.h"
#include "objects_s3.h"

#include <stdlib.h>
#include <string.h>

QUERY(put_objects,
	"INSERT INTO media.object (key, bytes)"
	" SELECT key, bytes FROM unnest($1::text[], $2::bytea[]) o (key, bytes)"
	" ON CONFLICT DO NOTHING");

QUERY(get_object,
	"SELECT encode(bytes, 'hex') AS hex FROM media.object WHERE key = $1");

QUERY(delete_object,
	"DELETE FROM media.object WHERE key = $1");

static unsigned
digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* {"\\x0102","\\x03"}: too large for the request's arena. */
static char *
hex_array(const struct object *o, size_t count)
{
	size_t room = 3;
	char *list, *at;

	for (size_t i = 0; i < count; i++)
		room += 2 * o[i].length + 8;
	at = list = malloc(room);
	if (list == NULL)
		return NULL;
	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		at = stpcpy(at, i == 0 ? "\"\\\\x" : ",\"\\\\x");
		at = put_hex(at, o[i].bytes, o[i].length);
		*at++ = '"';
	}
	strcpy(at, "}");
	return list;
}

static bool
pg_put(struct req *rq, const struct object *o, size_t count)
{
	const char *keys = "";
	char *bytes = hex_array(o, count);

	for (size_t i = 0; i < count; i++)
		keys = fmt(rq, "%s%c\"%s\"", keys, i == 0 ? '{' : ',', o[i].key);
	if (bytes == NULL)
		fail(rq, ERR_UNAVAILABLE);
	db_run(rq, &put_objects, fmt(rq, "%s}", keys), bytes);
	free(bytes);
	return !req_failed(rq);
}

static bool
pg_get(struct req *rq, struct object *o)
{
	const char *hex = row_text(db_one(rq, &get_object, o->key), "hex");
	char *bytes;

	if (hex == NULL)
		return false;
	o->length = strlen(hex) / 2;
	o->bytes = bytes = mem(rq, o->length + 1);
	for (size_t i = 0; i < o->length; i++)
		bytes[i] = (char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	return true;
}

bool
objects_put(struct req *rq, const struct object *o, size_t count)
{
	if (!s3_is_configured())
		return pg_put(rq, o, count);
	for (size_t i = 0; i < count; i++)
		if (!s3_put(rq, &o[i]))
			return false;
	return true;
}

bool
objects_get(struct req *rq, struct object *o)
{
	if (s3_is_configured() && s3_get(rq, o))
		return true;
	return pg_get(rq, o);
}

bool
objects_delete(struct req *rq, const char *key)
{
	if (s3_is_configured() && !s3_delete(rq, key))
		return false;
	db_run(rq, &delete_object, key);
	return !req_failed(rq);
}
