/*
 * Amounts of money, from text to minor units.
 */
#include "money.h"
#include "settings.h"

#include "fixture.h"

static void
amounts_become_minor_units(void **state)
{
	static const struct { const char *text, *currency; int64_t minor; } good[] = {
		{ "19.99", "USD", 1999 },
		{ "19.9", "USD", 1990 },
		{ "19", "USD", 1900 },
		{ "0", "USD", 0 },
		{ "0.00", "USD", 0 },
		{ "0.01", "EUR", 1 },
		{ "2000", "JPY", 2000 },
		{ "1.25", "KWD", 1250 },
		{ "1.250", "KWD", 1250 },
		{ "0.001", "BHD", 1 },
		{ "90071992547.40", "USD", INT64_C(9007199254740) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		int64_t minor = -1;

		assert_true(money_parse(good[i].text, good[i].currency, &minor));
		assert_int_equal(minor, good[i].minor);
	}
}

static void
anything_but_a_plain_decimal_is_refused(void **state)
{
	static const char *const bad[] = { "", "-1", "-0", "+1", "1.", ".5", ".", "1e2",
	    "1E2", "19.999", "0.1.2", "01", "00", "00.10", " 1", "1 ", "1\n", "1,50",
	    "1_000", "0x10", "NaN", "nan", "inf", "Infinity", "$5", "5 USD",
	    "\xef\xbc\x91" /* a fullwidth 1 */, "\xd9\xa1" /* an Arabic one */ };
	int64_t minor;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(money_parse(bad[i], "USD", &minor));
	assert_false(money_parse("1.0", "JPY", &minor));
	assert_false(money_parse("1.", "JPY", &minor));
	assert_false(money_parse("1.2345", "KWD", &minor));
}

static void
the_limit_is_the_same_in_every_currency(void **state)
{
	static const struct { const char *currency, *most, *more; } limits[] = {
		{ "JPY", "10000000000000", "10000000000001" },
		{ "USD", "100000000000.00", "100000000000.01" },
		{ "KWD", "10000000000.000", "10000000000.001" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		int64_t minor = 0;

		assert_true(money_parse(limits[i].most, limits[i].currency, &minor));
		assert_int_equal(minor, MONEY_MAX);
		assert_false(money_parse(limits[i].more, limits[i].currency, &minor));
	}
}

static void
no_length_of_digits_overflows(void **state)
{
	char digits[65];

	(void)state;
	memset(digits, '9', sizeof(digits));
	for (size_t n = sizeof(digits) - 1; n >= 14; n--) {
		int64_t minor;

		digits[n] = '\0';
		assert_false(money_parse(digits, "JPY", &minor));
		assert_false(money_parse(digits, "USD", &minor));
		assert_false(money_parse(digits, "KWD", &minor));
	}
}

static void
currencies_have_their_digits(void **state)
{
	static const char *const none[] = { "BIF", "CLP", "DJF", "GNF", "JPY", "KMF",
	    "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF" };
	static const char *const three[] = { "BHD", "JOD", "KWD", "OMR", "TND" };
	static const char *const two[] = { "USD", "EUR", "GBP", "CHF", "MAD", "EGP", "INR" };

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_int_equal(currency_digits(none[i]), 0);
	for (size_t i = 0; i < sizeof(three) / sizeof(*three); i++)
		assert_int_equal(currency_digits(three[i]), 3);
	for (size_t i = 0; i < sizeof(two) / sizeof(*two); i++)
		assert_int_equal(currency_digits(two[i]), 2);
}

static void
three_digits_are_paid_in_tens(void **state)
{
	(void)state;
	assert_int_equal(currency_step("KWD"), 10);
	assert_int_equal(currency_step("USD"), 1);
	assert_int_equal(currency_step("JPY"), 1);
}

static bool
sells_in(const char *currency)
{
	bool good;

	assert_int_equal(setenv("SHOP_CURRENCY", currency, 1), 0);
	capture();
	good = settings_read() && run_startups();
	captured();
	return good;
}

static void
a_shop_sells_in_a_currency_without_rules_of_its_own(void **state)
{
	static const char *const bad[] = { "usd", "US", "USDX", "U$D", "840", "ISK", "HUF",
	    "TWD", "UGX" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(sells_in(bad[i]));
	assert_true(sells_in("KWD"));
	assert_string_equal(shop_currency(), "KWD");
	assert_true(sells_in(""));
	assert_string_equal(shop_currency(), "USD");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(amounts_become_minor_units),
		cmocka_unit_test(anything_but_a_plain_decimal_is_refused),
		cmocka_unit_test(the_limit_is_the_same_in_every_currency),
		cmocka_unit_test(no_length_of_digits_overflows),
		cmocka_unit_test(currencies_have_their_digits),
		cmocka_unit_test(three_digits_are_paid_in_tens),
		cmocka_unit_test(a_shop_sells_in_a_currency_without_rules_of_its_own),
	};

	return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
