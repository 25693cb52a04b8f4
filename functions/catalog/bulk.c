/*
 * GET /api/products/bulk
 *
 * Up to a hundred products by id, in the order asked, one asked for twice
 * twice; what is not for sale is left out.
 */
#include "fn.h"

#include "product_shape.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 100 };

struct input {
	const char *ids;
};

QUERY(in_order_asked,
	"SELECT coalesce(json_agg(w ORDER BY a.place), '[]')"
	"  FROM unnest(string_to_array($1, ',')::bigint[]) WITH ORDINALITY a (id, place)"
	"  JOIN catalog.product_wire w USING (id) WHERE w.is_active");

ENDPOINT(bulk_products) = {
	.method  = HTTP_GET,
	.path    = "/api/products/bulk",
	.summary = "Several products at once",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.cache   = { .seconds = 60, .tag = "products" },
	.input   = FIELDS(
		PARAM(ids, STR, "Up to 100 ids, separated by commas", .required = true,
		    .min = 1, .max = MOST * 20, .example = "\"1,2,3\"")),
	.answer  = &product_shape,
	.many    = true,
};

/* A positive 64-bit number, up to the comma or the end. */
static bool
is_id(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n >= 1 && n <= 19 && (s[n] == ',' || s[n] == '\0') && *s != '0' &&
	    strtoull(s, NULL, 10) <= INT64_MAX;
}

static struct status
bulk_products(struct req *rq)
{
	const struct input *in = req_input(rq);
	int n = 0;

	for (const char *at = in->ids, *comma = at; comma != NULL; at = comma + 1) {
		comma = strchr(at, ',');
		if (++n > MOST)
			return fail_field(rq, "ids", "count", "Must be at most 100 ids");
		if (!is_id(at))
			return fail_field(rq, "ids", "type",
			    "Must be positive whole numbers, separated by commas");
	}
	return reply_row(rq, 200, db_one(rq, &in_order_asked, in->ids));
}
