/*
 * POST /api/orders
 *
 * Prices the order and reserves its stock in one statement, which also records
 * that a payment is about to be asked of Stripe.  From then on the saga goes
 * on whatever dies: here at once, or from the cron functions.  When Stripe
 * does not answer, the order is placed all the same and `payment` is null.
 */
#include "fn.h"

#include "charges.h"
#include "json.h"
#include "lease.h"
#include "money.h"
#include "order_shape.h"
#include "product_shape.h"
#include "saga.h"

struct input {
	const char *items, *address, *city, *state, *zip, *country, *notes;
};

QUERY(place,
	"SELECT * FROM orders.place_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");

QUERY(placed,
	"SELECT orders.order_json($1, $2)");

/* The order is read after the checkpoint it shows. */
QUERY(checkpoint,
	"WITH t AS MATERIALIZED ("
	" SELECT orders.saga_intent_created_v1($1, $2, $3, $4, $5, $6) AS outcome)"
	" SELECT t.outcome, orders.order_json(s.order_id, o.user_id) AS answer"
	"   FROM t, orders.saga s JOIN orders.orders o ON o.id = s.order_id"
	"  WHERE s.id = $1");

static const struct field line[] = {
	ITEM("productId", ID,  "What to order", .required = true, .example = "1"),
	ITEM("quantity",  INT, "How many", .required = true, .min = 1, .max = 10000,
	    .example = "2"),
	{ .where = F_END }
};

ENDPOINT(place_order) = {
	.method  = HTTP_POST,
	.path    = "/api/orders",
	.summary = "Place an order",
	.access  = ACCESS_USER,
	.rate    = RATE_GENERAL,
	.commit  = COMMIT_EACH,
	.waits   = true,
	.purges  = "products",
	.idempotent = true,
	.success = 201,
	.input   = FIELDS(
		BODY(items, LIST, "What to order; the same product twice is added up",
		    .required = true, .min = 1, .max = 100, .item = line),
		BODY_AS(address, "shippingAddress", STR, "Where it goes", .required = true,
		    .min = 1, .max = 500, .example = "\"12 Rue des Epices\""),
		BODY_AS(city,    "shippingCity",    STR, "Town", .min = 1, .max = 100,
		    .example = "\"Fes\""),
		BODY_AS(state,   "shippingState",   STR, "State or region", .min = 1, .max = 100),
		BODY_AS(zip,     "shippingZip",     STR, "Postal code", .min = 1, .max = 20,
		    .example = "\"30000\""),
		BODY_AS(country, "shippingCountry", STR, "Country", .min = 1, .max = 100,
		    .example = "\"MA\""),
		BODY_AS(notes,   "customerNotes",   STR, "For the seller", .max = 1000)),
	.answer  = &order_shape,
	.errors  = ERRORS(ERR_PRODUCT_NOT_FOUND, ERR_INSUFFICIENT_STOCK,
	    ERR_ORDER_TOTAL_OUT_OF_RANGE),
	.details = DETAILS(SHORTAGE_DETAIL),
};

static const char *
shipping_json(struct req *rq, const struct input *in)
{
	struct json *j = json_new(rq);

	json_open(j, '{');
	json_member(j, "address", in->address);
	json_member(j, "city", in->city);
	json_member(j, "state", in->state);
	json_member(j, "zip", in->zip);
	json_member(j, "country", in->country);
	json_member(j, "notes", in->notes);
	return json_text(j);
}

static struct saga *
place_new(struct req *rq)
{
	const struct input *in = req_input(rq);
	struct saga *saga;

	fault_point("place_before_commit");
	saga = saga_of(rq, db_one(rq, &place, req_user(rq), in->items,
	    shipping_json(rq, in), shop_currency(), text(rq, charges_tax_rate_bps()),
	    text(rq, charges_shipping()), lease_owner(rq), text(rq, SAGA_LEASE_S),
	    text(rq, charges_payment_ttl_s()), req_idempotency_key(rq), req_fingerprint(rq)));
	fault_point("place_after_commit");
	if (saga == NULL)
		return NULL;
	saga->checkpoint = &checkpoint;
	saga_drive(rq, saga);
	return saga;
}

static struct status
place_order(struct req *rq)
{
	/* A try of the same request was here before and died: carry it on. */
	const char *order = req_reference(rq);
	const struct saga *saga = NULL;

	if (order != NULL) {
		saga_drive_order(rq, order);
	} else if ((saga = place_new(rq)) != NULL) {
		if (saga->answer != NULL)
			return reply_json(rq, 201, saga->answer);
		order = saga->order;
	}
	return reply_row(rq, 201, db_one(rq, &placed, order, req_user(rq)));
}
