-- An order comes to what a payment can be made for: what Stripe does not take of
-- a currency with three digits is taken off (payments.rounding_off()), and a
-- total that is too little or too much is refused, before anything is kept.

-- Places an order: prices, reserves the stock and starts the saga with the
-- record of the external step that comes next, in one commit.  Stock rows are
-- the hottest, so they are locked last.
CREATE OR REPLACE FUNCTION orders.place_v1(
	p_user bigint, p_items json, p_shipping json, p_currency text,
	p_tax_bps integer, p_shipping_cost bigint, p_owner text, p_lease_s integer,
	p_ttl_s integer, p_key text, p_fingerprint text)
RETURNS SETOF orders.saga_work
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	new_order bigint := nextval('orders.orders_id_seq');
	products bigint[];
	quantities bigint[];
	sellers bigint[];
	names text[];
	skus text[];
	prices bigint[];
	rule CONSTANT text := 'tax_on_subtotal_half_up';
	due orders.totals;
	discount bigint;
	new_saga orders.saga;
BEGIN
	IF p_key IS NOT NULL THEN
		PERFORM ops.idempotency_begin(p_user, p_key, p_fingerprint, new_order::text);
	END IF;

	SELECT array_agg(product_id ORDER BY first), array_agg(quantity ORDER BY first)
	  INTO products, quantities
	  FROM (SELECT (line ->> 'productId')::bigint AS product_id,
	               sum((line ->> 'quantity')::bigint)::bigint AS quantity,
	               min(place) AS first
	          FROM json_array_elements(p_items) WITH ORDINALITY x (line, place)
	         GROUP BY 1) merged;
	SELECT array_agg(q.seller_id ORDER BY w.place), array_agg(q.name ORDER BY w.place),
	       array_agg(q.sku ORDER BY w.place), array_agg(q.price ORDER BY w.place)
	  INTO sellers, names, skus, prices
	  FROM unnest(products, quantities) WITH ORDINALITY w (product_id, quantity, place)
	  JOIN catalog.quote(products) q USING (product_id)
	 WHERE q.currency = p_currency;
	IF cardinality(prices) IS DISTINCT FROM cardinality(products) THEN
		PERFORM orders.refuse_unknown(p_items, products, p_currency);
	END IF;
	due := orders.totals_of(rule, quantities, prices, p_tax_bps, p_shipping_cost, 0);
	discount := payments.rounding_off(due.total_amount, p_currency);
	due := orders.totals_of(rule, quantities, prices, p_tax_bps, p_shipping_cost, discount);
	PERFORM payments.refuse_unpayable(due.total_amount, p_currency);

	INSERT INTO orders.orders (id, user_id, status, currency, subtotal,
		totals_rule, tax_rate_bps, tax_amount, shipping_cost, discount_amount,
		total_amount,
		shipping_address, shipping_city, shipping_state, shipping_zip,
		shipping_country, customer_notes, confirmed_at)
	SELECT new_order, p_user, 'confirmed', p_currency, due.subtotal, rule,
	       p_tax_bps, due.tax_amount, p_shipping_cost, discount,
	       due.total_amount, s.*, now()
	  FROM json_to_record(p_shipping) s (address text, city text, state text,
	       zip text, country text, notes text);
	INSERT INTO orders.item (order_id, product_id, seller_id, product_name,
		product_sku, quantity, unit_price, total_price)
	SELECT new_order, w.product_id, w.seller_id, w.name, w.sku, w.quantity,
	       w.price, w.quantity * w.price
	  FROM unnest(products, sellers, names, skus, quantities, prices)
	       w (product_id, seller_id, name, sku, quantity, price);
	INSERT INTO orders.history (order_id, old_status, new_status, changed_by, notes)
	VALUES (new_order, NULL, 'pending', p_user, 'Order placed'),
	       (new_order, 'pending', 'confirmed', NULL, 'Stock reserved');
	INSERT INTO payments.payment (order_id, user_id, amount, currency)
	VALUES (new_order, p_user, due.total_amount, p_currency);
	INSERT INTO orders.saga (order_id, kind, version, state, step, owner, wake_at, deadline)
	VALUES (new_order, 'order', 1, 'running', 'create_intent', p_owner,
		now() + make_interval(secs => p_lease_s),
		now() + make_interval(secs => p_ttl_s))
	RETURNING * INTO new_saga;
	PERFORM orders.saga_note(new_saga, 0, 'reserve_stock', 'done', NULL);
	PERFORM catalog.hold(products, quantities, new_order);
	RETURN QUERY SELECT * FROM orders.saga_work w WHERE w.id = new_saga.id;
END $$;
