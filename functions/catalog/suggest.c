/*
 * GET /api/products/suggest
 *
 * For a search box, at every key: how the last word may go on, and what would
 * be found.  Words come from the names and tags of the shop, so that each of
 * them finds something.
 */
#include "fn.h"

struct input {
	const char *q;
	int64_t limit;
};

QUERY(understand_typing,
	"SELECT catalog.search_understood($1)::text AS query,"
	"       (catalog.words($1))[cardinality(catalog.words($1))] AS last");

/* Of the newest that fit, the best: a key must cost little. */
QUERY(suggest,
	"WITH few AS MATERIALIZED ("
	" SELECT id, search FROM catalog.product"
	"  WHERE is_active AND search @@ $1::tsquery ORDER BY id DESC LIMIT 50),"
	"best AS ("
	" SELECT f.id, row_number() OVER ("
	"        ORDER BY ts_rank(f.search, $1::tsquery) DESC, s.sold DESC, f.id DESC) AS place"
	"   FROM few f JOIN catalog.stock s ON s.product_id = f.id) "
	"SELECT json_build_object("
	" 'words', coalesce((SELECT json_agg(w.word) FROM ("
	"    SELECT k.word FROM catalog.search_word k"
	"     WHERE k.shown AND k.word > $2 COLLATE \"C\" AND $2 <> ''"
	"       AND k.word < $2 || U&'\\+10FFFF' COLLATE \"C\""
	"     ORDER BY length(k.word), k.word LIMIT $3) w), '[]'),"
	" 'products', coalesce((SELECT json_agg(json_build_object("
	"    'id', p.id, 'name', p.name, 'slug', p.slug, 'currency', p.currency,"
	"    'price', ops.wire_money(p.price, p.currency), 'image_url', p.image_url)"
	"    ORDER BY b.place)"
	"   FROM best b JOIN catalog.product p USING (id) WHERE b.place <= $3), '[]'))");

static const struct shape suggestion_shape = {
	.name = "Suggestion",
	.doc = "What a search box shows of a product",
	.fields = FIELDS(
		OUT(id,        ID,    "The product", .example = "1"),
		OUT(name,      STR,   "Its name", .example = "\"Kashmiri Saffron 2 g\""),
		OUT(slug,      STR,   "Its name for addresses of pages",
		    .example = "\"kashmiri-saffron-2-g\""),
		OUT(currency,  STR,   "ISO 4217", .example = "\"USD\""),
		OUT(price,     MONEY, "What one costs", .example = "\"24.00\""),
		OUT(image_url, STR,   "Its first picture", .nullable = true)),
};

ENDPOINT(suggest_products) = {
	.method  = HTTP_GET,
	.path    = "/api/products/suggest",
	.summary = "How what is being typed may go on",
	.access  = ACCESS_PUBLIC,
	.rate    = RATE_GENERAL,
	.cache   = { .seconds = 60, .tag = "products" },
	.input   = FIELDS(
		PARAM(q,     STR, "What was typed so far", .required = true,
		    .min = 1, .max = 100, .example = "\"saf\""),
		PARAM(limit, INT, "Entries of each kind", .min = 1, .max = 20, .preset = 6)),
	.output  = FIELDS(
		OUT(words,    STR, "Words that begin like the last one typed, shortest first",
		    .many = true),
		OUT_OBJECT(products, suggestion_shape, "What is found so far, best first",
		    .many = true)),
};

static struct status
suggest_products(struct req *rq)
{
	const struct input *in = req_input(rq);
	const struct row *typed = db_one(rq, &understand_typing, in->q);

	return reply_row(rq, 200, db_one(rq, &suggest, row_text(typed, "query"),
	    row_text(typed, "last"), text(rq, in->limit)));
}
