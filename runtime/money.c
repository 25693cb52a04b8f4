#include "money.h"
#include "fn.h"

#include <stddef.h>
#include <string.h>

SETTING_TEXT(currency_setting, "SHOP_CURRENCY", "USD",
    "The ISO 4217 currency the shop sells in");

static const char *const without_digits[] = { "BIF", "CLP", "DJF", "GNF", "JPY",
	"KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF", NULL };
static const char *const with_three[] = { "BHD", "JOD", "KWD", "OMR", "TND", NULL };

STARTUP(check_currency)
{
	const char *c = currency_setting.text;

	/* Stripe treats these four by rules of their own. */
	if (strlen(c) == 3 && strspn(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3 &&
	    !one_of(c, "ISK", "HUF", "TWD", "UGX"))
		return true;
	log_line(LOG_ERROR, "SHOP_CURRENCY must be a three-letter ISO 4217 code"
	    " other than ISK, HUF, TWD and UGX", "value", c, NULL);
	return false;
}

const char *
shop_currency(void)
{
	return currency_setting.text;
}

int
currency_digits(const char *currency)
{
	if (one_of_(currency, without_digits))
		return 0;
	return one_of_(currency, with_three) ? 3 : 2;
}

int
currency_step(const char *currency)
{
	return currency_digits(currency) == 3 ? 10 : 1;
}

bool
money_parse(const char *s, const char *currency, int64_t *minor)
{
	size_t whole = strspn(s, "0123456789"), fraction = 0;
	int places = currency_digits(currency);
	int64_t n = 0;

	if (whole == 0 || whole > 14 || (whole > 1 && *s == '0'))
		return false;
	if (s[whole] == '.') {
		fraction = strspn(s + whole + 1, "0123456789");
		if (fraction == 0 || fraction > (size_t)places)
			return false;
	}
	if (s[whole + (fraction > 0) + fraction] != '\0')
		return false;
	for (size_t i = 0; i < whole; i++)
		n = n * 10 + (s[i] - '0');
	for (size_t i = 0; i < (size_t)places; i++)
		n = n * 10 + (i < fraction ? s[whole + 1 + i] - '0' : 0);
	*minor = n;
	return n <= MONEY_MAX;
}
