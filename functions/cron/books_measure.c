/*
 * POST /internal/cron/books-measure
 *
 * Whether the books hold, for /metrics: that the ledger and the payments agree,
 * and every unit of stock is somewhere; what Stripe has told and nothing came
 * of yet; and what was earned.  It goes through all of them, so only now and
 * then: a shop with a million orders is busy with it for seconds.
 */
#include "fn.h"

#include "metrics.h"
#include "money.h"

#include <stdio.h>
#include <time.h>

GAUGE(unbalanced, "ledger_unbalanced_orders", "",
    "Orders whose payment the ledger contradicts, and currencies that do not add up to zero");
GAUGE(unconserved, "stock_unconserved_products", "",
    "Products of which a unit has been lost or made up");
GAUGE(unapplied, "webhooks_unapplied", "", "Events of Stripe that have had no effect yet");
GAUGE(oldest, "webhooks_oldest_unapplied_seconds", "", "How long ago the first of them came");
GAUGE(measured, "books_measured_timestamp_seconds", "",
    "When the books were last gone through, in Unix time");

static char currency_label[24];
static struct metric captured = { .name = "ledger_captured_minor_units", .labels = currency_label,
    .help = "What buyers have paid in all, in minor units of the shop's currency", .gauge = true };
static struct metric refunded = { .name = "ledger_refunded_minor_units", .labels = currency_label,
    .help = "What went back of it", .gauge = true };

QUERY(count_books,
	"SELECT * FROM payments.books_census($1)");
QUERY(count_stock,
	"SELECT catalog.stock_census() AS unconserved");

ENDPOINT(measure_books) = {
	.method  = HTTP_POST,
	.path    = "/internal/cron/books-measure",
	.summary = "Go through ledger and stock, for the metrics",
	.access  = ACCESS_SERVICE,
	.rate    = RATE_NONE,
	.commit  = COMMIT_EACH,
	.repeatable = "It changes nothing",
	.event   = true,
	.timeout_s = 60,
	.every_s = 300,
	.output  = FIELDS(
		OUT(unbalanced,  INT, "Orders whose ledger is wrong", .example = "0"),
		OUT(unconserved, INT, "Products whose stock is wrong", .example = "0"),
		OUT(unapplied,   INT, "Events of Stripe that have had no effect yet", .example = "0")),
};

STARTUP(name_currency)
{
	snprintf(currency_label, sizeof(currency_label), "currency=\"%s\"", shop_currency());
	metrics_register(&captured);
	metrics_register(&refunded);
	return true;
}

static struct status
measure_books(struct req *rq)
{
	const struct row *books = db_one(rq, &count_books, shop_currency());
	const struct row *stock = db_one(rq, &count_stock);

	if (books == NULL || stock == NULL)
		return fail(rq, ERR_UNAVAILABLE);
	metric_set(&unbalanced, (uint64_t)row_int(books, "unbalanced"));
	metric_set(&captured, (uint64_t)row_int(books, "captured"));
	metric_set(&refunded, (uint64_t)row_int(books, "refunded"));
	metric_set(&unapplied, (uint64_t)row_int(books, "unapplied"));
	metric_set(&oldest, (uint64_t)row_int(books, "oldest_unapplied_s"));
	metric_set(&unconserved, (uint64_t)row_int(stock, "unconserved"));
	metric_set(&measured, (uint64_t)time(NULL));
	return reply_json(rq, 200, fmt(rq,
	    "{\"unbalanced\":%s,\"unconserved\":%s,\"unapplied\":%s}",
	    row_text(books, "unbalanced"), row_text(stock, "unconserved"),
	    row_text(books, "unapplied")));
}
