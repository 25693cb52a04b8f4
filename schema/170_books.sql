-- Figures for the monitoring that nothing else counts: whether the books hold,
-- and what waits in them.

-- Events that have come and had no effect yet.
CREATE INDEX webhook_event_unapplied ON payments.webhook_event (received_at)
	WHERE outcome IN ('early', 'failed');

-- unbalanced: orders whose payment says otherwise of what came and what went
-- back than the ledger does; and currencies whose movements do not add up to
-- zero.  captured and refunded are in the shop's currency.
-- One pass over the ledger, the payments and the refunds.
CREATE FUNCTION payments.books_census(p_currency text)
RETURNS TABLE (unbalanced bigint, captured bigint, refunded bigint,
	unapplied bigint, oldest_unapplied_s bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY WITH went AS (
		SELECT r.intent, sum(CASE l.kind WHEN 'refund' THEN l.amount ELSE -l.amount END) AS amount
		  FROM payments.ledger l JOIN payments.refund r ON r.stripe_refund_id = l.stripe_id
		 WHERE l.kind IN ('refund', 'refund_reversal') GROUP BY r.intent),
	wrong AS (
		SELECT FROM payments.payment p
		  LEFT JOIN payments.ledger came ON came.kind = 'capture'
		   AND came.stripe_id = p.stripe_payment_intent_id
		  LEFT JOIN went ON went.intent = p.stripe_payment_intent_id
		 WHERE p.refund_amount <> coalesce(went.amount, 0)
		    OR (p.captured_at IS NOT NULL AND p.amount <> coalesce(came.amount, 0))
		UNION ALL
		SELECT FROM payments.posting GROUP BY currency HAVING sum(amount) <> 0)
	SELECT (SELECT count(*) FROM wrong), m.captured, m.refunded, w.n, w.oldest_s
	  FROM (SELECT coalesce(sum(amount) FILTER (WHERE kind = 'capture'), 0)::bigint AS captured,
		       coalesce(sum(CASE kind WHEN 'refund' THEN amount WHEN 'refund_reversal' THEN -amount END), 0)::bigint AS refunded
		  FROM payments.ledger WHERE currency = lower(p_currency) OR currency = upper(p_currency)) m,
	       (SELECT count(*) AS n, coalesce(max(greatest(extract(epoch FROM now() - received_at), 0)), 0)::bigint AS oldest_s
		  FROM payments.webhook_event WHERE outcome IN ('early', 'failed')) w;
END $$;

-- Products of which a unit has been lost or made up: what was received is not
-- what is available, reserved or sold, or the orders' lines say otherwise.
CREATE FUNCTION catalog.stock_census() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN (SELECT count(*) FROM catalog.stock s
	  LEFT JOIN (SELECT product_id,
		            sum(quantity) FILTER (WHERE reservation = 'held') AS held,
		            sum(quantity) FILTER (WHERE reservation = 'sold') AS gone
		       FROM orders.item WHERE reservation IN ('held', 'sold') GROUP BY product_id) l
	       USING (product_id)
	 WHERE s.available + s.reserved + s.sold <> s.received
	    OR s.reserved <> coalesce(l.held, 0) OR s.sold <> coalesce(l.gone, 0));
END $$;

GRANT USAGE ON SCHEMA payments, catalog TO souk_cron;
GRANT EXECUTE ON FUNCTION payments.books_census(text), catalog.stock_census() TO souk_cron;
