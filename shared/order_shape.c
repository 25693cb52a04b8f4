#include "order_shape.h"

static const struct shape item_shape = {
	.name = "OrderItem",
	.doc = "A line of an order, as it was when the order was placed",
	.fields = FIELDS(
		OUT(id,           ID,    "The line"),
		OUT(product_id,   ID,    "What was ordered", .example = "1"),
		OUT(product_name, STR,   "Its name then", .example = "\"Taliouine Saffron\""),
		OUT(product_sku,  STR,   "The seller's number then", .nullable = true),
		OUT(quantity,     INT,   "How many", .example = "2"),
		OUT(unit_price,   MONEY, "What one cost then", .example = "\"19.99\""),
		OUT(total_price,  MONEY, "quantity times unit_price", .example = "\"39.98\"")),
};

static const struct shape order_payment_shape = {
	.name = "OrderPayment",
	.doc = "How to pay an order",
	.fields = FIELDS(
		OUT(paymentIntentId, STR,   "Stripe's payment intent",
		    .example = "\"pi_3Sx1bKSoukExample\""),
		OUT(clientSecret,    STR,   "For Stripe's client libraries; the owner's only",
		    .nullable = true, .example = "\"pi_3Sx1bKSoukExample_secret_Yx8\""),
		OUT(amount,          MONEY, "What is to be paid", .example = "\"53.98\""),
		OUT(currency,        STR,   "ISO 4217", .example = "\"USD\""),
		OUT(status,          CHOICE, "What became of it", .choices = PAYMENT_STATUSES)),
};

const struct shape order_shape = {
	.name = "Order",
	.doc = "An order: its lines, what it comes to, and how far it is",
	.fields = FIELDS(
		OUT(id,               ID,     "The order", .example = "1"),
		OUT(user_id,          ID,     "Whose it is"),
		OUT(status,           CHOICE, "How far it is", .choices = ORDER_STATUSES,
		    .example = "\"confirmed\""),
		OUT(payment_status,   CHOICE, "What became of the money",
		    .choices = PAYMENT_STATUSES, .example = "\"pending\""),
		OUT(currency,         STR,    "ISO 4217", .example = "\"USD\""),
		OUT(subtotal,         MONEY,  "Sum of the lines", .example = "\"39.98\""),
		OUT(tax_amount,       MONEY,  "Tax on the subtotal, rounded half up",
		    .example = "\"4.00\""),
		OUT(shipping_cost,    MONEY,  "Shipping", .example = "\"10.00\""),
		OUT(discount_amount,  MONEY,  "Taken off", .example = "\"0.00\""),
		OUT(total_amount,     MONEY,  "What is to be paid", .example = "\"53.98\""),
		OUT(shipping_address, STR,    "Where it goes", .example = "\"12 Rue des Epices\""),
		OUT(shipping_city,    STR,    "Town", .nullable = true),
		OUT(shipping_state,   STR,    "State or region", .nullable = true),
		OUT(shipping_zip,     STR,    "Postal code", .nullable = true),
		OUT(shipping_country, STR,    "Country", .nullable = true),
		OUT(tracking_number,  STR,    "The carrier's number", .nullable = true),
		OUT(carrier,          STR,    "Who carries it", .nullable = true),
		OUT(customer_notes,   STR,    "What the customer wrote", .nullable = true),
		OUT(created_at,       TIME,   "Placed"),
		OUT(updated_at,       TIME,   "Last changed"),
		OUT(confirmed_at,     TIME,   "Stock reserved", .nullable = true,
		    .example = "\"2026-11-23T01:46:00.000Z\""),
		OUT(paid_at,          TIME,   "Paid", .nullable = true),
		OUT(shipped_at,       TIME,   "Shipped", .nullable = true),
		OUT(delivered_at,     TIME,   "Delivered", .nullable = true),
		OUT(cancelled_at,     TIME,   "Cancelled", .nullable = true),
		OUT_OBJECT(items, item_shape, "Its lines", .many = true),
		OUT_OBJECT(payment, order_payment_shape,
		    "How to pay; null until Stripe has been reached", .nullable = true)),
};

const struct shape order_change_shape = {
	.name = "OrderStatusChange",
	.doc = "A status an order came to",
	.fields = FIELDS(
		OUT(id,         ID,     "The change"),
		OUT(order_id,   ID,     "The order"),
		OUT(old_status, CHOICE, "What it was before", .nullable = true,
		    .choices = ORDER_STATUSES),
		OUT(new_status, CHOICE, "What it is since", .choices = ORDER_STATUSES),
		OUT(changed_by, ID,     "The user who did it; null: the shop itself",
		    .nullable = true),
		OUT(notes,      STR,    "Why", .nullable = true),
		OUT(created_at, TIME,   "When")),
};

const struct shape refund_shape = {
	.name = "Refund",
	.doc = "Money of an order that goes back",
	.fields = FIELDS(
		OUT(id,               ID,     "The refund"),
		OUT(order_id,         ID,     "Whose money it is", .example = "1"),
		OUT(stripe_refund_id, STR,    "Stripe's refund; null until Stripe has been reached",
		    .nullable = true, .example = "\"re_3Sx1bKSoukExample\""),
		OUT(stripe_payment_intent_id, STR, "What it refunds",
		    .example = "\"pi_3Sx1bKSoukExample\""),
		OUT(amount,           MONEY,  "How much", .example = "\"10.00\""),
		OUT(currency,         STR,    "ISO 4217", .example = "\"USD\""),
		OUT(reason,           CHOICE, "Why", .choices = REFUND_REASONS, .nullable = true),
		OUT(status,           CHOICE, "What became of it: a pending one is seen to"
		    " without being asked for again", .choices = REFUND_STATUSES,
		    .example = "\"succeeded\""),
		OUT(failure_reason,   STR,    "Why it failed", .nullable = true),
		OUT(created_at,       TIME,   "When it was asked for"),
		OUT(updated_at,       TIME,   "When it last changed")),
};

const struct shape payment_shape = {
	.name = "Payment",
	.doc = "What became of an order's money",
	.fields = FIELDS(
		OUT(id,             ID,     "The payment"),
		OUT(order_id,       ID,     "What it pays", .example = "1"),
		OUT(stripe_payment_intent_id, STR, "Stripe's payment intent", .nullable = true,
		    .example = "\"pi_3Sx1bKSoukExample\""),
		OUT(amount,         MONEY,  "What is to be paid", .example = "\"53.98\""),
		OUT(currency,       STR,    "ISO 4217", .example = "\"USD\""),
		OUT(status,         CHOICE, "What became of it", .choices = PAYMENT_STATUSES),
		OUT(payment_method, STR,    "What it was paid with", .nullable = true),
		OUT(refund_amount,  MONEY,  "What was given back", .example = "\"0.00\""),
		OUT(error_code,     STR,    "Why the last try failed", .nullable = true,
		    .example = "\"insufficient_funds\""),
		OUT(error_message,  STR,    "The same in words", .nullable = true),
		OUT(created_at,     TIME,   "When it was asked for"),
		OUT(updated_at,     TIME,   "When it last changed"),
		OUT_OBJECT(refunds, refund_shape, "What goes back, or was to", .many = true)),
};
