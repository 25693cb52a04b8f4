-- An event carries the trace of what it tells of.
ALTER TABLE ops.event ADD COLUMN traceparent text
	DEFAULT nullif(current_setting('souk.traceparent', true), '');

CREATE FUNCTION ops.event_trace(p_event bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT traceparent FROM ops.event WHERE id = p_event
$$;
GRANT EXECUTE ON FUNCTION ops.event_trace(bigint) TO souk_cron;

-- What Stripe tells of a payment belongs to the trace of its order, and so does
-- what is written then: asked for before it is.
CREATE FUNCTION orders.intent_trace(p_intent text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT s.traceparent FROM payments.payment p
	  JOIN orders.saga s ON s.order_id = p.order_id AND s.kind = 'order'
	 WHERE p.stripe_payment_intent_id = p_intent
$$;
GRANT EXECUTE ON FUNCTION orders.intent_trace(text) TO souk_orders, souk_payments, souk_cron;
