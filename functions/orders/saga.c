/*
 * GET /api/admin/sagas/{id}
 *
 * A saga with all that it and its order have been through: its own steps, the
 * order's history, what Stripe has told, and what moved in the ledger.
 */
#include "fn.h"

#include "order_shape.h"
#include "saga_shape.h"

struct input {
	const char *id;
};

enum { MOST = 1000 };		/* entries of a timeline */

QUERY(view,
	"SELECT orders.saga_view($1, $2)");

static const struct shape order_shape_in_short = {
	.name = "SagaOrder",
	.doc = "The order that a saga is about, in short",
	.fields = FIELDS(
		OUT(id,             ID,     "The order", .example = "1"),
		OUT(user_id,        ID,     "Whose it is"),
		OUT(status,         CHOICE, "How far it is", .choices = ORDER_STATUSES,
		    .example = "\"confirmed\""),
		OUT(payment_status, CHOICE, "What became of the money",
		    .choices = PAYMENT_STATUSES, .example = "\"pending\""),
		OUT(currency,       STR,    "ISO 4217", .example = "\"USD\""),
		OUT(total_amount,   MONEY,  "What is to be paid", .example = "\"53.98\"")),
};

static const struct shape entry_shape = {
	.name = "TimelineEntry",
	.doc = "Something that happened to a saga or its order",
	.fields = FIELDS(
		OUT(at,       TIME,   "When"),
		OUT(source,   CHOICE, "Whose record this is: the saga's, the order's history,"
		    " Stripe's events or the ledger",
		    .choices = CHOICES("saga", "order", "stripe", "ledger")),
		OUT(step,     STR,    "At which step of the saga", .nullable = true,
		    .example = "\"create_intent\""),
		OUT(what,     STR,    "What happened", .example = "\"done\""),
		OUT(detail,   STR,    "More of it", .nullable = true,
		    .example = "\"pi_3Sx1bKSoukExample\""),
		OUT(epoch,    INT,    "The saga's epoch then", .nullable = true, .example = "1"),
		OUT(actor_id, ID,     "The user who did it; null: the shop itself",
		    .nullable = true)),
};

ENDPOINT(get_saga) = {
	.method  = HTTP_GET,
	.path    = "/api/admin/sagas/{id}",
	.summary = "One saga with its timeline",
	.access  = ACCESS_ADMIN,
	.rate    = RATE_GENERAL,
	.input   = FIELDS(
		PATH(id, ID, "The saga", .example = "1")),
	.output  = FIELDS(
		OUT_OBJECT(saga,    saga_shape, "How it stands, and what it waits for"),
		OUT_OBJECT(order,   order_shape_in_short, "Its order"),
		OUT_OBJECT(payment, payment_shape, "The order's payment"),
		OUT(intent,         STR,   "Stripe's payment intent that it is about; null until"
		    " Stripe has made one", .nullable = true, .example = "\"pi_3Sx1bKSoukExample\""),
		OUT(amount,         MONEY, "How much it is about", .example = "\"53.98\""),
		OUT_OBJECT(other_sagas, saga_shape, "Other sagas of the order", .many = true),
		OUT_OBJECT(timeline, entry_shape, "What happened, the latest last; of a very"
		    " long one only the end", .many = true),
		OUT(timeline_total, INT,   "How many entries there are", .example = "1")),
};

static struct status
get_saga(struct req *rq)
{
	const struct input *in = req_input(rq);

	req_user(rq);	/* admins' only */
	return reply_row(rq, 200, db_one(rq, &view, in->id, text(rq, MOST)));
}
