/*
 * GET /api/products
 *
 * The catalogue, in any order and by any filter: by `cursor`, which starts
 * after the last product seen, page 500 costs what page 1 does.  `page` is for
 * clients that count pages.  The total is exact up to 10,000.
 */
#include "fn.h"

#include "product_shape.h"

#include <string.h>

struct input {
	int64_t page, limit;
	const char *cursor, *category, *seller, *min_price, *max_price;
	const char *search, *tags, *featured, *in_stock, *sort;
};

/* Which products, and how many, is a matter of catalog.list_page(). */
QUERY(list,
	"SELECT json_build_object("
	" 'products', coalesce((SELECT json_agg(w ORDER BY g.place)"
	"    FROM unnest(l.ids) WITH ORDINALITY g (id, place)"
	"    JOIN catalog.product_wire w USING (id)), '[]'),"
	" 'pagination', json_build_object("
	"    'page', $13::bigint, 'limit', $11::bigint, 'total', l.total,"
	"    'totalPages', (l.total + $11::bigint - 1) / $11::bigint,"
	"    'total_is_estimate', l.is_estimate, 'next_cursor', l.next_after))"
	"  FROM catalog.list_page($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) l");

ENDPOINT(list_products) = {
	.method  = HTTP_GET,
	.path    = "/api/products",
	.summary = "Browse and search the catalogue",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.cache   = { .seconds = 60, .tag = "products" },
	.input   = FIELDS(
		PARAM(page,       INT,    "Which page", .min = 1, .max = 1000000, .preset = 1),
		PARAM(limit,      INT,    "Entries a page", .min = 1, .max = 100, .preset = 20),
		PARAM(cursor,     STR,    "The next_cursor of the page before", .min = 1, .max = 60),
		PARAM(category,   STR,    "Only this category and those below it, by id or slug",
		    .min = 1, .max = 120, .example = "\"spices\""),
		PARAM(seller,     ID,     "Only this seller's"),
		PARAM_AS(min_price, "minPrice", MONEY, "Costing at least this", .example = "\"5.00\""),
		PARAM_AS(max_price, "maxPrice", MONEY, "Costing at most this", .example = "\"50.00\""),
		PARAM(search,     STR,    "Words to look for", .min = 1, .max = 200,
		    .example = "\"saffron\""),
		PARAM(tags,       STR,    "Having all of these, separated by commas",
		    .min = 1, .max = 500, .example = "\"handmade\""),
		PARAM(featured,   BOOL,   "Only those the shop shows first, or only the others"),
		PARAM_AS(in_stock, "inStock", BOOL, "Only what can be ordered now, or cannot"),
		PARAM_AS(sort, "sortBy", CHOICE, "The order of the list;"
		    " relevance ranks the four hundred newest of very many", .choices =
		    CHOICES("newest", "price_asc", "price_desc", "popular", "relevance"))),
	.output  = FIELDS(
		OUT_OBJECT(products, product_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static bool
is_cursor(const char *s)
{
	size_t value = strspn(s, "0123456789"), id;

	if (value < 1 || value > 18 || s[value] != '_')
		return false;
	id = strspn(s + value + 1, "0123456789");
	return id >= 1 && id <= 18 && s[value + 1 + id] == '\0';
}

static struct status
list_products(struct req *rq)
{
	const struct input *in = req_input(rq);
	int64_t skipped = in->cursor == NULL ? (in->page - 1) * in->limit : 0;

	if (in->cursor != NULL && !is_cursor(in->cursor))
		return fail_field(rq, "cursor", "format", "Must be a next_cursor as it was given");
	return reply_row(rq, 200, db_one(rq, &list, in->sort == NULL ? "newest" : in->sort,
	    in->category, in->seller, in->min_price, in->max_price, in->tags, in->search,
	    in->featured, in->in_stock, in->cursor, text(rq, in->limit), text(rq, skipped),
	    text(rq, in->page)));
}
