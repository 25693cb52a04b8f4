-- What Stripe says of a payment moves money only where it says what it must:
-- which intent, how much, in what currency.  Anything else fits no order; an
-- event without them used to end in a database error, and so came for ever.

ALTER FUNCTION orders.payment_succeeded_v1(bigint, text, text, bigint, text, text)
	RENAME TO payment_succeeded_checked;
REVOKE ALL ON FUNCTION orders.payment_succeeded_checked(bigint, text, text, bigint, text, text)
	FROM souk_payments, souk_orders, souk_cron;

CREATE FUNCTION orders.payment_succeeded_v1(p_order bigint, p_intent text,
	p_nonce text, p_amount bigint, p_currency text, p_method text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN CASE
	WHEN p_intent ~ '^[A-Za-z0-9_]{1,255}$' AND p_amount > 0 AND p_currency ~ '^[A-Za-z]{3}$'
	THEN orders.payment_succeeded_checked(p_order, p_intent, p_nonce, p_amount, p_currency, p_method)
	ELSE 'mismatch' END;
END $$;
GRANT EXECUTE ON FUNCTION orders.payment_succeeded_v1(bigint, text, text, bigint, text, text)
	TO souk_orders, souk_payments, souk_cron;
