-- What an event of Stripe's does is one function, and so is which order it is
-- about: an object that names no order is that of its payment intent.

CREATE FUNCTION payments.order_of(p_object json) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
	intent text := p_object ->> 'payment_intent';
	named text := p_object -> 'metadata' ->> 'order_id';
	found bigint;
BEGIN
	SELECT order_id INTO found FROM payments.payment WHERE stripe_payment_intent_id = intent;
	IF found IS NULL THEN
		SELECT order_id INTO found FROM payments.ledger
		 WHERE stripe_id = intent AND kind = 'capture';
	END IF;
	IF found IS NULL AND named ~ '^[1-9][0-9]{0,17}$' THEN
		found := named::bigint;
	END IF;
	RETURN found;
END $$;

-- Applies what an event says of an object of p_order's, or of nobody's (null);
-- returns what came of it.  The order's saga is locked.  Must bear every event
-- again, late and in any order.
CREATE FUNCTION payments.apply_event(p_type text, p_order bigint, p_object json)
RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
	IF p_order IS NULL OR p_object ->> 'object' IS DISTINCT FROM 'payment_intent' THEN
		RETURN 'stored';
	END IF;
	CASE p_type
	WHEN 'payment_intent.succeeded' THEN
		RETURN orders.payment_succeeded_v1(p_order, p_object ->> 'id',
			p_object -> 'metadata' ->> 'nonce',
			CASE WHEN p_object ->> 'amount_received' ~ '^[0-9]{1,15}$'
			     THEN (p_object ->> 'amount_received')::bigint END,
			p_object ->> 'currency',
			p_object ->> 'payment_method');
	WHEN 'payment_intent.payment_failed' THEN
		RETURN orders.payment_failed_v1(p_order, p_object ->> 'id',
			coalesce(p_object -> 'last_payment_error' ->> 'decline_code',
				p_object -> 'last_payment_error' ->> 'code'),
			p_object -> 'last_payment_error' ->> 'message');
	WHEN 'payment_intent.processing' THEN
		RETURN orders.payment_processing_v1(p_order, p_object ->> 'id');
	WHEN 'payment_intent.canceled' THEN
		RETURN orders.payment_canceled_v1(p_order, p_object ->> 'id');
	ELSE
		RETURN 'stored';
	END CASE;
END $$;

CREATE OR REPLACE FUNCTION payments.webhook_ingest(p_id text, p_type text, p_payload json)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	object json := p_payload -> 'data' -> 'object';
	for_order bigint := payments.order_of(object);
	result text := 'stored';
BEGIN
	-- The order's saga is locked before the event is written: two deliveries
	-- of one event then queue here, not half-way through.
	PERFORM FROM orders.saga WHERE order_id = for_order AND kind = 'order'
	    FOR NO KEY UPDATE;
	INSERT INTO payments.webhook_event (id, type, order_id, object_id, payload, outcome)
	VALUES (p_id, p_type, for_order, object ->> 'id', p_payload, result)
	ON CONFLICT (id) DO NOTHING;
	IF NOT FOUND THEN
		RETURN 'duplicate';
	END IF;
	result := payments.apply_event(p_type, for_order, object);
	UPDATE payments.webhook_event SET outcome = result WHERE id = p_id;
	RETURN result;
END $$;
