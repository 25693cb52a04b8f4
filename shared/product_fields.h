/*
 * product_fields.h -- what a seller says of a product, when it is made and
 * when it is changed: its members of struct input, and how they are declared.
 */
#ifndef PRODUCT_FIELDS_H
#define PRODUCT_FIELDS_H

#include "fn.h"

#define PRODUCT_INPUT							\
	const char *name, *price, *description, *category_id, *sku, *barcode, *weight; \
	const char *compare_at_price, *cost_per_item, *tags, *is_featured; \
	int64_t stock_quantity, stock, low_stock_threshold

/* is_new: a name and a price are needed, and null says as much as nothing.  In
 * a change null clears what can be cleared. */
#define PRODUCT_FIELDS(is_new)						\
	BODY(name, STR, "Its name", .required = is_new, .not_null = !(is_new), \
	    .min = 1, .max = 255, .example = "\"Taliouine Saffron\""),	\
	BODY(price, MONEY, "What one costs", .required = is_new, .not_null = !(is_new), \
	    .example = "\"19.99\""),					\
	BODY(description, STR, "What it is", .max = 10000),		\
	BODY(category_id, ID, "Its category"),				\
	BODY(stock_quantity, INT, "How many there are", .not_null = !(is_new), \
	    .min = 0, .max = 1000000000, .preset = -1),			\
	BODY(stock, INT, "The same, by its old name", .not_null = !(is_new), \
	    .min = 0, .max = 1000000000, .preset = -1),			\
	BODY(low_stock_threshold, INT, "Tell me when so few are left",	\
	    .min = 0, .max = 1000000000, .preset = -1),			\
	BODY(sku, STR, "Your own number, unlike your others", .min = 1, .max = 100), \
	BODY(barcode, STR, "EAN, UPC or the like", .min = 1, .max = 100), \
	BODY(weight, NUMBER, "In kilograms", .example = "\"0.250\""),	\
	BODY(compare_at_price, MONEY, "What it cost before"),		\
	BODY(cost_per_item, MONEY, "What it cost you; shown to you only"), \
	BODY(tags, STRS, "Words to find it by, each once; capitals do not count", \
	    .not_null = !(is_new), .max = 50, .example = "[\"spice\", \"saffron\"]"), \
	BODY(is_featured, BOOL, "Show it first", .not_null = !(is_new))

/* Refuses a category that does not exist, and names of the stock that say
 * different things.  What they say: -1 is nothing. */
int64_t	 product_fields_check(struct req *, const char *category_id,
	    int64_t stock_quantity, int64_t stock);

#endif
