-- Payments, the ledger, and every event Stripe has told us of.

CREATE SCHEMA payments;
GRANT USAGE ON SCHEMA payments TO souk_payments;

-- One per order.  nonce makes the idempotency keys sent to Stripe unlike those
-- of any other database that ever counted to the same order id;
-- key_generation starts a fresh key where Stripe has cached a fault of its own.
CREATE TABLE payments.payment (
	id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	order_id       bigint NOT NULL UNIQUE,
	user_id        bigint NOT NULL,
	stripe_payment_intent_id text UNIQUE,
	client_secret  text,
	nonce          text NOT NULL DEFAULT substr(replace(gen_random_uuid()::text, '-', ''), 1, 16),
	key_generation smallint NOT NULL DEFAULT 0,
	amount         bigint NOT NULL CHECK (amount > 0),
	currency       char(3) NOT NULL,
	status         text NOT NULL DEFAULT 'pending' CHECK (status IN (
	               'pending', 'processing', 'succeeded', 'failed', 'cancelled',
	               'refunded', 'partially_refunded')),
	payment_method text,
	refund_amount  bigint NOT NULL DEFAULT 0 CHECK (refund_amount >= 0),
	error_code     text,
	error_message  text,
	captured_at    timestamptz,
	created_at     timestamptz NOT NULL DEFAULT now(),
	updated_at     timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT refund_within_amount CHECK (refund_amount <= amount)
) WITH (fillfactor = 60);

-- Double entry in one row: amount leaves `credit` and arrives at `debit`, so
-- that every movement, and so every sum of them, is zero.
CREATE TABLE payments.ledger (
	id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	order_id  bigint NOT NULL,
	kind      text NOT NULL CHECK (kind IN ('capture', 'refund')),
	debit     text NOT NULL,
	credit    text NOT NULL,
	amount    bigint NOT NULL CHECK (amount > 0),
	currency  char(3) NOT NULL,
	stripe_id text NOT NULL,	-- the intent or refund that moved it
	at        timestamptz NOT NULL DEFAULT now(),
	CHECK (debit <> credit),
	UNIQUE (stripe_id, kind)
);
CREATE INDEX ledger_order ON payments.ledger (order_id);

-- The same as postings, one an account, as bookkeepers read it.
CREATE VIEW payments.posting AS
SELECT id, order_id, kind, debit AS account, amount, currency, at FROM payments.ledger
UNION ALL
SELECT id, order_id, kind, credit, -amount, currency, at FROM payments.ledger;

-- Writes a movement once, however often it is reported.
CREATE FUNCTION payments.ledger_post(p_order bigint, p_kind text, p_stripe_id text,
	p_amount bigint, p_currency text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO payments.ledger (order_id, kind, debit, credit, amount, currency, stripe_id)
	SELECT p_order, p_kind,
	       CASE p_kind WHEN 'capture' THEN 'stripe' ELSE 'customer' END,
	       CASE p_kind WHEN 'capture' THEN 'customer' ELSE 'stripe' END,
	       p_amount, p_currency, p_stripe_id
	ON CONFLICT (stripe_id, kind) DO NOTHING;
$$;

CREATE TABLE payments.webhook_event (
	id          text PRIMARY KEY CHECK (length(id) <= 255),
	type        text NOT NULL,
	order_id    bigint,
	object_id   text,
	payload     json NOT NULL,
	outcome     text NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_event_order ON payments.webhook_event (order_id) WHERE order_id IS NOT NULL;

-- Stores an event and applies it, in one commit.  An event seen before does
-- nothing more; so does a stale one, by the transitions it calls.
CREATE FUNCTION payments.webhook_ingest(p_id text, p_type text, p_payload json)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	object json := p_payload -> 'data' -> 'object';
	named  text := object -> 'metadata' ->> 'order_id';
	for_order bigint := CASE WHEN named ~ '^[1-9][0-9]{0,17}$' THEN named::bigint END;
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
	IF for_order IS NULL OR object ->> 'object' IS DISTINCT FROM 'payment_intent' THEN
		RETURN result;
	END IF;
	CASE p_type
	WHEN 'payment_intent.succeeded' THEN
		result := orders.payment_succeeded_v1(for_order, object ->> 'id',
			object -> 'metadata' ->> 'nonce',
			CASE WHEN object ->> 'amount_received' ~ '^[0-9]{1,15}$'
			     THEN (object ->> 'amount_received')::bigint END,
			object ->> 'currency',
			object ->> 'payment_method');
	WHEN 'payment_intent.payment_failed' THEN
		result := orders.payment_failed_v1(for_order, object ->> 'id',
			coalesce(object -> 'last_payment_error' ->> 'decline_code',
				object -> 'last_payment_error' ->> 'code'),
			object -> 'last_payment_error' ->> 'message');
	WHEN 'payment_intent.processing' THEN
		result := orders.payment_processing_v1(for_order, object ->> 'id');
	WHEN 'payment_intent.canceled' THEN
		result := orders.payment_canceled_v1(for_order, object ->> 'id');
	ELSE
		NULL;
	END CASE;
	UPDATE payments.webhook_event SET outcome = result WHERE id = p_id;
	RETURN result;
END $$;

-- The wire object `payment`.
CREATE FUNCTION payments.payment_json(p payments.payment) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', p.id, 'order_id', p.order_id,
	'stripe_payment_intent_id', p.stripe_payment_intent_id,
	'amount', ops.wire_money(p.amount, p.currency), 'currency', p.currency,
	'status', p.status, 'payment_method', p.payment_method,
	'refund_amount', ops.wire_money(p.refund_amount, p.currency),
	'error_code', p.error_code, 'error_message', p.error_message,
	'created_at', ops.wire_time(p.created_at),
	'updated_at', ops.wire_time(p.updated_at));

-- How p_user may pay their order.  An order whose saga is being undone counts
-- as cancelled: its intent is about to be.
CREATE FUNCTION payments.intent_of(p_order bigint, p_user bigint)
RETURNS TABLE (intent text, is_cancelled boolean, is_open boolean, answer json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY SELECT p.stripe_payment_intent_id,
	       p.status = 'cancelled' OR s.state IN ('compensating', 'compensated'),
	       p.status IN ('pending', 'processing', 'failed'),
	       json_build_object('id', p.stripe_payment_intent_id,
			'paymentIntentId', p.stripe_payment_intent_id,
			'clientSecret', p.client_secret,
			'amount', ops.wire_money(p.amount, p.currency),
			'currency', p.currency, 'status', p.status)
	  FROM payments.payment p
	  JOIN orders.saga s ON s.order_id = p.order_id AND s.kind = 'order'
	 WHERE p.order_id = p_order AND p.user_id = p_user;
END $$;

GRANT SELECT ON ALL TABLES IN SCHEMA payments TO souk_payments;
GRANT EXECUTE ON FUNCTION payments.payment_json(payments.payment),
	payments.webhook_ingest(text, text, json),
	payments.intent_of(bigint, bigint) TO souk_payments;
