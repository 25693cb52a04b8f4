/*
 * charges.h -- what an order costs beyond its lines, and how long it may stay
 * unpaid.  The sums themselves are made in one place: orders.totals_of().
 */
#ifndef CHARGES_H
#define CHARGES_H

#include <stdint.h>

int64_t	 charges_tax_rate_bps(void);	/* hundredths of a percent of the subtotal */
int64_t	 charges_shipping(void);	/* minor units of the shop's currency */
int64_t	 charges_payment_ttl_s(void);

#endif
