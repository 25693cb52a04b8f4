-- What an order comes to, computed in one place, by a rule that has a name.
--
-- The rule `tax_on_subtotal_half_up`:
--   subtotal    sum of quantity * unit_price over the lines; nothing to round
--   tax         subtotal * tax_rate_bps / 10,000, rounded once, on the whole
--               subtotal and not line by line, to a minor unit of the
--               currency, a half upwards
--   total       subtotal + tax + shipping - discount
-- Amounts are whole minor units throughout, so that it is the same for
-- currencies of no, two and three digits.
--
-- Each order keeps the name beside the rate, the shipping and the discount it
-- was given, and so comes to the same to the cent whenever it is computed
-- again.  A rule is never changed: another way to round is another name, with
-- a branch in orders.totals_of() and in the constraint below.
--
-- Tables of taxes, shipping methods and discounts will say which rate and which
-- amounts orders.place_v1() hands over; how they add up stays here.

CREATE TYPE orders.totals AS (
	subtotal     numeric,		-- numeric: what is out of range is still right
	tax_amount   numeric,
	total_amount numeric
);

CREATE FUNCTION orders.totals_of(p_rule text, p_quantities bigint[], p_prices bigint[],
	p_tax_bps integer, p_shipping bigint, p_discount bigint)
RETURNS orders.totals LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	t orders.totals;
BEGIN
	IF p_rule IS DISTINCT FROM 'tax_on_subtotal_half_up' THEN
		RAISE EXCEPTION 'no rule of totals is called "%"', p_rule;
	END IF;
	t.subtotal := (SELECT coalesce(sum(quantity::numeric * price), 0)
	                 FROM unnest(p_quantities, p_prices) w (quantity, price));
	t.tax_amount := div(t.subtotal * p_tax_bps + 5000, 10000);
	t.total_amount := t.subtotal + t.tax_amount + p_shipping - p_discount;
	RETURN t;
END $$;

-- Every order there is was computed so.  Whoever writes one says how.
ALTER TABLE orders.orders
	ADD totals_rule text NOT NULL DEFAULT 'tax_on_subtotal_half_up';
ALTER TABLE orders.orders ALTER totals_rule DROP DEFAULT;

-- The second guard: the tax once more, in other arithmetic.
ALTER TABLE orders.orders DROP CONSTRAINT tax_follows_rate;
ALTER TABLE orders.orders ADD CONSTRAINT tax_follows_rule CHECK (CASE totals_rule
	WHEN 'tax_on_subtotal_half_up'
	THEN tax_amount = (subtotal * tax_rate_bps + 5000) / 10000
	ELSE false END);

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
	-- Stripe takes amounts of at most eight digits, and nothing is no payment.
	IF due.total_amount NOT BETWEEN 1 AND 99999999 THEN
		RAISE EXCEPTION 'order_total_out_of_range' USING ERRCODE = 'SK000';
	END IF;

	INSERT INTO orders.orders (id, user_id, status, currency, subtotal,
		totals_rule, tax_rate_bps, tax_amount, shipping_cost, total_amount,
		shipping_address, shipping_city, shipping_state, shipping_zip,
		shipping_country, customer_notes, confirmed_at)
	SELECT new_order, p_user, 'confirmed', p_currency, due.subtotal, rule,
	       p_tax_bps, due.tax_amount, p_shipping_cost, due.total_amount, s.*, now()
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
