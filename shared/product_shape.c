#include "product_shape.h"

const struct shape product_shape = {
	.name = "Product",
	.doc = "Something for sale.  cost_per_item is shown to its seller and admins only",
	.fields = FIELDS(
		OUT(id,               ID,     "The product", .example = "1"),
		OUT(seller_id,        ID,     "Whose it is"),
		OUT(currency,         STR,    "ISO 4217", .example = "\"USD\""),
		OUT(category_id,      ID,     "Its category", .nullable = true, .example = "1"),
		OUT(category_name,    STR,    "The category's name", .nullable = true,
		    .example = "\"Spices\""),
		OUT(name,             STR,    "Its name", .example = "\"Taliouine Saffron\""),
		OUT(slug,             STR,    "Its name for addresses of pages",
		    .example = "\"taliouine-saffron\""),
		OUT(description,      STR,    "What it is", .nullable = true),
		OUT(price,            MONEY,  "What one costs", .example = "\"19.99\""),
		OUT(compare_at_price, MONEY,  "What it cost before", .nullable = true),
		OUT(cost_per_item,    MONEY,  "What it cost; shown to its seller and admins",
		    .nullable = true, .optional = true),
		OUT(stock_quantity,   INT,    "What can be ordered now", .example = "25"),
		OUT(sku,              STR,    "The seller's own number", .nullable = true),
		OUT(barcode,          STR,    "EAN, UPC or the like", .nullable = true),
		OUT(weight,           NUMBER, "In kilograms", .nullable = true,
		    .example = "\"0.250\""),
		OUT(image_url,        STR,    "Its first picture", .nullable = true,
		    .example = "\"/media/products/0f3a.jpg\""),
		OUT(images,           STR,    "All pictures", .many = true,
		    .example = "[\"/media/products/0f3a.jpg\"]"),
		OUT(tags,             STR,    "Words it is found by", .many = true,
		    .example = "[\"spice\", \"saffron\"]"),
		OUT(is_active,        BOOL,   "Whether it is for sale", .example = "true"),
		OUT(is_featured,      BOOL,   "Whether the shop shows it first"),
		OUT(rating_average,   NUMBER, "Of its reviews, 0 to 5", .example = "\"0.00\""),
		OUT(rating_count,     INT,    "How many reviews", .example = "0"),
		OUT(created_at,       TIME,   "When it was made"),
		OUT(updated_at,       TIME,   "When it last changed")),
};

const struct shape shortage_shape = {
	.name = "Shortage",
	.doc = "A product there is not enough of",
	.fields = FIELDS(
		OUT(product_id, ID,  "The product", .example = "1"),
		OUT(name,       STR, "Its name", .example = "\"Taliouine Saffron\""),
		OUT(requested,  INT, "How many were asked for", .example = "3"),
		OUT(available,  INT, "How many there are", .example = "2")),
};

const struct shape pagination_shape = {
	.name = "Pagination",
	.doc = "Where in a list an answer stands",
	.fields = FIELDS(
		OUT(page,        INT, "The page asked for, from 1", .example = "1"),
		OUT(limit,       INT, "Entries a page", .example = "20"),
		OUT(total,       INT, "Entries that fit the filter", .example = "60"),
		OUT(totalPages,  INT, "Pages that makes", .example = "3"),
		OUT(total_is_estimate, BOOL, "Whether total, past 10,000, is one",
		    .example = "false"),
		OUT(next_cursor, STR, "Ask for the next page with this; it costs the same"
		    " however far in", .nullable = true)),
};
