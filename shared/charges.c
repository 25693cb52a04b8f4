#include "charges.h"
#include "fn.h"
#include "money.h"

#include <stdio.h>
#include <string.h>

SETTING_INT(tax_rate_bps, "TAX_RATE_BPS", 1000, 0, 10000,
    "Tax on the subtotal, in hundredths of a percent");
SETTING_TEXT(shipping_flat, "SHIPPING_FLAT", "10.00",
    "What shipping an order costs, in the shop's currency");
SETTING_INT(payment_ttl, "PAYMENT_TTL", 1800, 1, 86400,
    "Seconds an order may stay unpaid before it is cancelled");

static int64_t shipping;

/* "10.00" is a price in yen too: noughts after the point say nothing. */
static bool
parse(const char *text)
{
	const char *point = strchr(text, '.');
	char whole[32];

	if (money_parse(text, shop_currency(), &shipping))
		return true;
	if (point == NULL || point[1] == '\0' || point[1 + strspn(point + 1, "0")] != '\0' ||
	    (size_t)(point - text) >= sizeof(whole))
		return false;
	snprintf(whole, sizeof(whole), "%.*s", (int)(point - text), text);
	return money_parse(whole, shop_currency(), &shipping);
}

STARTUP(read_shipping)
{
	if (parse(shipping_flat.text))
		return true;
	log_line(LOG_ERROR, "SHIPPING_FLAT must be an amount of SHOP_CURRENCY",
	    "value", shipping_flat.text, NULL);
	return false;
}

int64_t charges_tax_rate_bps(void) { return tax_rate_bps.number; }
int64_t charges_shipping(void) { return shipping; }
int64_t charges_payment_ttl_s(void) { return payment_ttl.number; }
