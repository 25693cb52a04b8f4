/*
 * money.h -- amounts are whole minor units of an ISO 4217 currency.  Nothing
 * here, or anywhere, makes a floating-point number of one.
 */
#ifndef MONEY_H
#define MONEY_H

#include <stdbool.h>
#include <stdint.h>

#define MONEY_MAX INT64_C(10000000000000)	/* minor units a field may hold */

/* Digits after the point, as ops.currency_digits() in schema/ has them. */
int	 currency_digits(const char *currency);

/* What amounts that are paid or refunded must be multiples of: of a currency
 * with three digits Stripe takes those whose last is 0.  As ops.currency_step(). */
int	 currency_step(const char *currency);

/* "19.99" to 1999.  False: not a plain non-negative decimal with at most the
 * currency's digits, or over MONEY_MAX. */
bool	 money_parse(const char *text, const char *currency, int64_t *minor);

/* The currency the shop sells in: SHOP_CURRENCY. */
const char *shop_currency(void);

#endif
