-- One refund may have been asked for here while somebody made another at
-- Stripe, of the same money: until Stripe has refused the one, more than was
-- paid seems to be on its way back, and nothing is left to be refunded.
CREATE OR REPLACE FUNCTION payments.refundable(p payments.payment) RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN p.captured_at IS NULL THEN 0
	       ELSE greatest(0, p.amount - coalesce(sum(r.amount), 0)) END
	  FROM payments.refund r
	 WHERE r.order_id = p.order_id AND r.intent = p.stripe_payment_intent_id
	   AND r.status IN ('pending', 'succeeded');
$$;
