/*
 * POST /api/products/{id}/stock
 *
 * Goods have come, broken, or been counted: changes what can be ordered by so
 * many, and writes it to the inventory log.  What orders have reserved stays
 * theirs, so no more can go than can be ordered now.
 */
#include "fn.h"

#include "product_claim.h"
#include "product_shape.h"

struct input {
	const char *id, *reason;
	int64_t change;
};

QUERY(adjust,
	"SELECT catalog.adjust_stock($1, $2, $3, $4)");

ENDPOINT(adjust_stock) = {
	.method  = HTTP_POST,
	.path    = "/api/products/{id}/stock",
	.summary = "Add to a product's stock, or take from it",
	.access  = ACCESS_SELLER,
	.rate    = RATE_GENERAL,
	.purges  = "products",
	.if_match = true,
	.idempotent = true,
	.input   = FIELDS(
		PATH(id, ID, "The product", .example = "1"),
		BODY(change, INT, "How many more; negative: fewer", .required = true,
		    .min = -1000000000, .max = 1000000000, .example = "12"),
		BODY(reason, STR, "Why, for the inventory log", .required = true,
		    .min = 1, .max = 200, .example = "\"delivery\"")),
	.answer  = &product_shape,
	.errors  = ERRORS(ERR_INSUFFICIENT_STOCK),
	.details = DETAILS(SHORTAGE_DETAIL),
};

static struct status
adjust_stock(struct req *rq)
{
	const struct input *in = req_input(rq);

	if (in->change == 0)
		return fail_field(rq, "change", "out_of_range", "Must not be 0");
	product_claim(rq, in->id, "product.stock_adjusted");
	db_run(rq, &adjust, in->id, text(rq, in->change), in->reason, req_user(rq));
	return product_reply(rq, 200, in->id);
}
