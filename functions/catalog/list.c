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

#include <string.h>

struct input {
	int64_t page, limit;
	const char *cursor, *category, *seller, *min_price, *max_price;
	const char *search, *tags, *featured, *in_stock, *sort;
};

/*
 * What the planner must see as a value and not as a call: the categories, and
 * the search as the vocabulary has it.  A lone word that the statistics know
 * to be very common is not counted: that would cost more than all else.
 */
QUERY(understand,
	"SELECT u.categories, u.query, CASE WHEN $3 AND e.likely > 30000 THEN e.likely END AS likely"
	"  FROM (SELECT CASE WHEN $1::text IS NOT NULL"
	"               THEN catalog.category_subtree($1) END AS categories,"
	"               catalog.search_understood($2)::text AS query) u,"
	"       LATERAL (SELECT CASE WHEN $3::boolean THEN catalog.list_estimate("
	"               NULL, NULL, NULL, NULL, NULL, u.query, NULL, NULL) END AS likely) e");

/* The filters, the same in every order; absent ones are NULL. */
#define MATCHING(more)							\
	"WITH matching AS NOT MATERIALIZED ("				\
	" SELECT p.id, p.price, p.search" more				\
	"  WHERE p.is_active"						\
	"    AND ($1::bigint[] IS NULL OR p.category_id = ANY ($1))"	\
	"    AND ($2::bigint IS NULL OR p.seller_id = $2)"		\
	"    AND ($3::bigint IS NULL OR p.price >= $3)"			\
	"    AND ($4::bigint IS NULL OR p.price <= $4)"			\
	"    AND ($5::text IS NULL OR"					\
	"         p.folded_tags @> catalog.folded_tags(string_to_array($5, ',')))" \
	"    AND ($6::text IS NULL OR p.search @@ $6::tsquery)"		\
	"    AND ($7::boolean IS NULL OR p.is_featured = $7)"		\
	"    AND ($8::boolean IS NULL OR p.in_stock = $8)), "
#define PRODUCTS	" FROM catalog.product p"
#define SOLD		", s.sold FROM catalog.product p"		\
	" JOIN catalog.stock s ON s.product_id = p.id"

/* One row past the page says whether there is another. */
#define PAGE(from, after, order, last)					\
	"page AS ("							\
	" SELECT m.id, " last " AS last, row_number() OVER (ORDER BY " order ") AS place" \
	"   FROM " from " m WHERE ($9::text IS NULL OR " after ")"	\
	"  ORDER BY " order " LIMIT $10::bigint + 1 OFFSET $11), "

#define ANSWER								\
	"counted AS ("							\
	" SELECT CASE WHEN $13::bigint IS NULL THEN"			\
	"        (SELECT count(*) FROM (SELECT FROM matching LIMIT 10001) few)" \
	"        ELSE 10001 END AS n) "					\
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
	"  FROM counted c, LATERAL (SELECT CASE WHEN c.n <= 10000 THEN c.n"	\
	"   ELSE greatest(c.n, coalesce($13::bigint,"			\
	"    catalog.list_estimate($1, $2, $3, $4, $5, $6, $7, $8))) END AS total) t"

/* A cursor is "value_id" of the last product seen. */
#define CURSOR_VALUE	"split_part($9, '_', 1)::bigint"
#define CURSOR_ID	"split_part($9, '_', 2)::bigint"

QUERY(newest, MATCHING(PRODUCTS) PAGE("matching",
	"m.id < " CURSOR_ID, "m.id DESC", "'0_' || m.id") ANSWER);
QUERY(price_asc, MATCHING(PRODUCTS) PAGE("matching",
	"(m.price, m.id) > (" CURSOR_VALUE ", " CURSOR_ID ")",
	"m.price, m.id", "m.price || '_' || m.id") ANSWER);
QUERY(price_desc, MATCHING(PRODUCTS) PAGE("matching",
	"(m.price, m.id) < (" CURSOR_VALUE ", " CURSOR_ID ")",
	"m.price DESC, m.id DESC", "m.price || '_' || m.id") ANSWER);
QUERY(popular, MATCHING(SOLD) PAGE("matching",
	"(m.sold, m.id) < (" CURSOR_VALUE ", " CURSOR_ID ")",
	"m.sold DESC, m.id DESC", "m.sold || '_' || m.id") ANSWER);
/* Of a common word there are too many to rank: the newest thousand are. */
QUERY(relevance, MATCHING(PRODUCTS)
	"ranked AS ("
	" SELECT n.id, CASE WHEN $6::text IS NULL THEN 0"
	"        ELSE (1e6 * ts_rank(n.search, $6::tsquery))::bigint END AS relevance"
	"   FROM (SELECT id, search FROM matching ORDER BY id DESC LIMIT 1000) n), "
	PAGE("ranked", "(m.relevance, m.id) < (" CURSOR_VALUE ", " CURSOR_ID ")",
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
		PARAM_AS(sort, "sortBy", CHOICE, "The order of the list;"
		    " relevance ranks the thousand newest of very many", .choices =
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
	size_t value = strspn(s, "0123456789"), id;

	if (value < 1 || value > 18 || s[value] != '_')
		return false;
	id = strspn(s + value + 1, "0123456789");
	return id >= 1 && id <= 18 && s[value + 1 + id] == '\0';
}

/* A word and nothing else to go by. */
static bool
is_lone_word(const struct input *in)
{
	return in->search != NULL && strpbrk(in->search, " \"") == NULL &&
	    in->category == NULL && in->seller == NULL && in->min_price == NULL &&
	    in->max_price == NULL && in->tags == NULL && in->featured == NULL &&
	    in->in_stock == NULL;
}

static struct status
list_products(struct req *rq)
{
	const struct input *in = req_input(rq);
	int64_t skipped = in->cursor == NULL ? (in->page - 1) * in->limit : 0;
	const struct row *meant = NULL;

	if (in->cursor != NULL && !is_cursor(in->cursor))
		return fail_field(rq, "cursor", "format", "Must be a next_cursor as it was given");
	if (in->category != NULL || in->search != NULL)
		meant = db_one(rq, &understand, in->category, in->search,
		    is_lone_word(in) ? "true" : "false");
	return reply_row(rq, 200, db_one(rq, query_for(in->sort),
	    row_text(meant, "categories"), in->seller, in->min_price, in->max_price,
	    in->tags, row_text(meant, "query"), in->featured, in->in_stock, in->cursor,
	    text(rq, in->limit), text(rq, skipped), text(rq, in->page),
	    row_text(meant, "likely")));
}
