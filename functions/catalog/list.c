/*
 * GET /api/products
 *
 * The catalogue.  Each order of the list is a statement of its own, so that
 * each can walk its own index: by `cursor`, which starts after the last
 * product seen, page 500 costs what page 1 does.  `page` is for clients that
 * count pages.  The total is exact up to 10,000.
 */
#include "fn.h"

#include "product_shape.h"

#include <stdlib.h>
#include <string.h>

struct input {
	int64_t page, limit;
	const char *cursor, *category, *seller, *min_price, *max_price;
	const char *search, *tags, *featured, *in_stock, *sort;
};

/* The filters, the same in every order; absent ones are NULL. */
#define MATCHING							\
	"WITH matching AS NOT MATERIALIZED ("				\
	" SELECT p.id, p.price, p.rating_count, s.sold,"		\
	"        CASE WHEN $6::text IS NULL THEN 0 ELSE"		\
	"        ts_rank(p.search, catalog.search_query($6))"		\
	"        + trigram.word_similarity($6, p.name) END AS relevance" \
	"   FROM catalog.product p"					\
	"   JOIN catalog.stock s ON s.product_id = p.id"		\
	"  WHERE p.is_active"						\
	"    AND ($1::text IS NULL OR p.category_id = ANY (catalog.category_subtree($1)))" \
	"    AND ($2::bigint IS NULL OR p.seller_id = $2)"		\
	"    AND ($3::bigint IS NULL OR p.price >= $3)"			\
	"    AND ($4::bigint IS NULL OR p.price <= $4)"			\
	"    AND ($5::text IS NULL OR p.tags @> string_to_array($5, ','))" \
	"    AND ($6::text IS NULL OR p.search @@ catalog.search_query($6)" \
	"         OR trigram.word_similarity($6, p.name) >= 0.5)"	\
	"    AND ($7::boolean IS NULL OR p.is_featured = $7)"		\
	"    AND ($8::boolean IS NULL OR (s.available > 0) = $8)), "

/* One row past the page says whether there is another. */
#define PAGE(after, order, last)					\
	"page AS ("							\
	" SELECT m.id, " last " AS last, row_number() OVER (ORDER BY " order ") AS place" \
	"   FROM matching m WHERE ($9::text IS NULL OR " after ")"	\
	"  ORDER BY " order " LIMIT $10::bigint + 1 OFFSET $11), "	\
	"counted AS ("							\
	" SELECT count(*) AS n FROM (SELECT FROM matching LIMIT 10001) few) "

#define ANSWER								\
	"SELECT json_build_object("					\
	" 'products', coalesce((SELECT json_agg(w ORDER BY g.place)"	\
	"    FROM page g JOIN catalog.product_wire w USING (id)"	\
	"   WHERE g.place <= $11::bigint + $10::bigint), '[]'),"	\
	" 'pagination', json_build_object("				\
	"    'page', $12::bigint, 'limit', $10::bigint, 'total', t.total," \
	"    'totalPages', (t.total + $10::bigint - 1) / $10::bigint,"	\
	"    'total_is_estimate', c.n > 10000,"				\
	"    'next_cursor', (SELECT g.last FROM page g"			\
	"      WHERE g.place = $11::bigint + $10::bigint AND EXISTS ("	\
	"       SELECT FROM page h WHERE h.place > g.place))))"		\
	"  FROM counted c, LATERAL (SELECT CASE WHEN c.n > 10000 THEN greatest(c.n,"	\
	"   (SELECT reltuples::bigint FROM pg_catalog.pg_class"		\
	"     WHERE oid = 'catalog.product'::regclass)) ELSE c.n END AS total) t"

/* A cursor is "value_id" of the last product seen. */
#define CURSOR_VALUE	"split_part($9, '_', 1)"
#define CURSOR_ID	"split_part($9, '_', 2)::bigint"

QUERY(newest, MATCHING PAGE(
	"m.id < " CURSOR_ID, "m.id DESC", "'0_' || m.id") ANSWER);
QUERY(price_asc, MATCHING PAGE(
	"(m.price, m.id) > (" CURSOR_VALUE "::bigint, " CURSOR_ID ")",
	"m.price, m.id", "m.price || '_' || m.id") ANSWER);
QUERY(price_desc, MATCHING PAGE(
	"(m.price, m.id) < (" CURSOR_VALUE "::bigint, " CURSOR_ID ")",
	"m.price DESC, m.id DESC", "m.price || '_' || m.id") ANSWER);
QUERY(popular, MATCHING PAGE(
	"(m.sold, m.id) < (" CURSOR_VALUE "::bigint, " CURSOR_ID ")",
	"m.sold DESC, m.id DESC", "m.sold || '_' || m.id") ANSWER);
QUERY(relevance, MATCHING PAGE(
	"(m.relevance, m.id) < (" CURSOR_VALUE "::float8, " CURSOR_ID ")",
	"m.relevance DESC, m.id DESC", "m.relevance || '_' || m.id") ANSWER);

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
		PARAM_AS(sort, "sortBy", CHOICE, "The order of the list", .choices =
		    CHOICES("newest", "price_asc", "price_desc", "popular", "relevance"))),
	.output  = FIELDS(
		OUT_OBJECT(products, product_shape, "This page", .many = true),
		OUT_OBJECT(pagination, pagination_shape, "Where it stands")),
};

static const struct query *
query_for(const char *sort)
{
	static const struct { const char *name; const struct query *query; } orders[] = {
		{ "newest", &newest }, { "price_asc", &price_asc },
		{ "price_desc", &price_desc }, { "popular", &popular },
		{ "relevance", &relevance } };

	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		if (sort != NULL && strcmp(sort, orders[i].name) == 0)
			return orders[i].query;
	return &newest;
}

static bool
is_cursor(const char *s)
{
	size_t value = strspn(s, "0123456789.e-"), id;

	if (value == 0 || value > 25 || s[value] != '_' || strtod(s, NULL) < 0)
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
	return reply_row(rq, 200, db_one(rq, query_for(in->sort), in->category,
	    in->seller, in->min_price, in->max_price, in->tags, in->search,
	    in->featured, in->in_stock, in->cursor, text(rq, in->limit),
	    text(rq, skipped), text(rq, in->page)));
}
