-- Cancelling, refunds, and what sellers do with orders.
--
-- What an event of Stripe's does is one function (payments.apply_event), and so
-- is which order it is about: an object that names no order is that of its
-- payment intent.

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

--
-- Goods that come back.
--

-- 'returned': sold, and back on sale.
ALTER TABLE orders.item DROP CONSTRAINT item_reservation_check,
	ADD CONSTRAINT item_reservation_check
		CHECK (reservation IN ('held', 'sold', 'released', 'returned'));
ALTER TABLE catalog.inventory_log DROP CONSTRAINT inventory_log_kind_check,
	ADD CONSTRAINT inventory_log_kind_check
		CHECK (kind IN ('adjusted', 'reserved', 'released', 'sold', 'returned'));

CREATE OR REPLACE FUNCTION catalog.move_stock(p_kind text, p_products bigint[],
	p_quantities bigint[], p_order bigint)
RETURNS bigint[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	to_available integer := CASE p_kind WHEN 'reserved' THEN -1
		WHEN 'released' THEN 1 WHEN 'returned' THEN 1 ELSE 0 END;
	to_reserved integer := CASE p_kind WHEN 'reserved' THEN 1 WHEN 'returned' THEN 0 ELSE -1 END;
	to_sold integer := CASE p_kind WHEN 'sold' THEN 1 WHEN 'returned' THEN -1 ELSE 0 END;
	could bigint[];
BEGIN
	WITH locked AS MATERIALIZED (
		SELECT s.product_id, w.quantity
		  FROM catalog.stock s
		  JOIN unnest(p_products, p_quantities) w (product_id, quantity) USING (product_id)
		 ORDER BY s.product_id FOR NO KEY UPDATE OF s),
	moved AS (
		UPDATE catalog.stock s
		   SET available = s.available + to_available * l.quantity,
		       reserved = s.reserved + to_reserved * l.quantity,
		       sold = s.sold + to_sold * l.quantity
		  FROM locked l
		 WHERE s.product_id = l.product_id AND s.available + to_available * l.quantity >= 0
		RETURNING s.product_id, s.available, l.quantity),
	logged AS (
		INSERT INTO catalog.inventory_log (product_id, kind, quantity, change, balance, order_id)
		SELECT product_id, p_kind, quantity, to_available * quantity, available, p_order
		  FROM moved)
	SELECT coalesce(array_agg(product_id), '{}') INTO could FROM moved;
	RETURN could;
END $$;

-- Held lines are sold or released, sold ones returned, and their stock with
-- them.
CREATE OR REPLACE FUNCTION orders.move_lines(p_order bigint, p_to text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	products bigint[];
	quantities bigint[];
BEGIN
	WITH moved AS (
		UPDATE orders.item SET reservation = p_to
		 WHERE order_id = p_order
		   AND reservation = CASE p_to WHEN 'returned' THEN 'sold' ELSE 'held' END
		RETURNING product_id, quantity)
	SELECT array_agg(product_id), array_agg(quantity)
	  INTO products, quantities FROM moved;
	IF products IS NOT NULL THEN
		PERFORM catalog.move_stock(p_to, products, quantities, p_order);
	END IF;
END $$;

-- Holds again what an order has given up ('released' or 'returned'); false
-- where it is not there any more, and then nothing is held.
CREATE FUNCTION orders.hold_again(p_order bigint, p_from text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM catalog.hold(array_agg(product_id), array_agg(quantity), p_order)
	   FROM orders.item WHERE order_id = p_order AND reservation = p_from
	 HAVING count(*) > 0;
	UPDATE orders.item SET reservation = 'held'
	 WHERE order_id = p_order AND reservation = p_from;
	RETURN true;
EXCEPTION WHEN SQLSTATE 'SK000' THEN
	RETURN false;
END $$;

--
-- Refunds.
--

-- One row a refund that was asked for, here or at Stripe.  Stripe says what
-- becomes of it:
--   pending    not back yet; without stripe_refund_id Stripe does not know yet
--   succeeded  back, though Stripe may find later that it has failed
--   failed, cancelled  not back, and will not be
CREATE TABLE payments.refund (
	id               bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	order_id         bigint NOT NULL REFERENCES payments.payment (order_id),
	intent           text NOT NULL,	-- what it refunds, not always the order's own
	stripe_refund_id text UNIQUE,
	amount           bigint NOT NULL CHECK (amount > 0),
	currency         char(3) NOT NULL,
	reason           text CHECK (reason IN ('duplicate', 'fraudulent', 'requested_by_customer')),
	status           text NOT NULL DEFAULT 'pending'
	                 CHECK (status IN ('pending', 'succeeded', 'failed', 'cancelled')),
	failure_reason   text,
	note             text,		-- for the order's history
	requested_by     bigint,	-- null: the shop itself, or somebody at Stripe
	created_at       timestamptz NOT NULL DEFAULT now(),
	updated_at       timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT stripe_knows_what_is_back CHECK (status <> 'succeeded' OR stripe_refund_id IS NOT NULL)
) WITH (fillfactor = 70);
CREATE INDEX refund_order ON payments.refund (order_id, id);

-- A refund that fails after all puts its movement back.
ALTER TABLE payments.ledger DROP CONSTRAINT ledger_kind_check,
	ADD CONSTRAINT ledger_kind_check CHECK (kind IN ('capture', 'refund', 'refund_reversal'));
CREATE OR REPLACE FUNCTION payments.ledger_post(p_order bigint, p_kind text, p_stripe_id text,
	p_amount bigint, p_currency text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO payments.ledger (order_id, kind, debit, credit, amount, currency, stripe_id)
	SELECT p_order, p_kind,
	       CASE p_kind WHEN 'refund' THEN 'customer' ELSE 'stripe' END,
	       CASE p_kind WHEN 'refund' THEN 'stripe' ELSE 'customer' END,
	       p_amount, p_currency, p_stripe_id
	ON CONFLICT (stripe_id, kind) DO NOTHING;
$$;

-- Whoever asked for an order to be cancelled, and why: from then on it ends
-- cancelled, even where its money is faster.
ALTER TABLE orders.orders ADD cancel_by bigint, ADD cancel_reason text;

-- A refund's saga has its refund as subject.  Its Stripe keys start afresh
-- with key_generation, as a payment's do.
ALTER TABLE orders.saga ADD key_generation smallint NOT NULL DEFAULT 0;
WITH known AS (
	INSERT INTO payments.refund (order_id, intent, stripe_refund_id, amount, currency,
		status, created_at, updated_at)
	SELECT s.order_id, s.subject, CASE s.state WHEN 'done' THEN e.detail END, s.amount,
	       p.currency, CASE s.state WHEN 'done' THEN 'succeeded' ELSE 'pending' END,
	       s.created_at, s.updated_at
	  FROM orders.saga s
	  JOIN payments.payment p ON p.order_id = s.order_id
	  LEFT JOIN orders.saga_event e ON e.saga_id = s.id AND e.what = 'done'
	 WHERE s.kind = 'refund'
	RETURNING id, order_id, intent)
UPDATE orders.saga s SET subject = k.id::text FROM known k
 WHERE s.kind = 'refund' AND s.order_id = k.order_id AND s.subject = k.intent;
UPDATE payments.payment p SET captured_at = l.at FROM payments.ledger l
 WHERE l.stripe_id = p.stripe_payment_intent_id AND l.kind = 'capture' AND p.captured_at IS NULL;

CREATE OR REPLACE VIEW orders.saga_work AS
SELECT s.id, s.order_id, s.kind, s.version, s.state, s.step, s.attempt, s.epoch,
       s.cause, now() >= s.deadline AS past_deadline,
       extract(epoch FROM s.deadline - now())::bigint AS seconds_left,
       extract(epoch FROM now() - s.created_at)::bigint AS age_s,
       s.subject, coalesce(r.amount, p.amount) AS amount,
       coalesce(r.currency, p.currency) AS currency, p.nonce,
       CASE s.kind WHEN 'order' THEN p.key_generation ELSE s.key_generation END AS key_generation,
       coalesce(r.intent, p.stripe_payment_intent_id) AS intent, o.user_id,
       r.stripe_refund_id, r.reason AS refund_reason, r.status AS refund_status
  FROM orders.saga s
  JOIN orders.orders o ON o.id = s.order_id
  JOIN payments.payment p ON p.order_id = s.order_id
  LEFT JOIN payments.refund r ON r.id = CASE s.kind WHEN 'refund' THEN s.subject::bigint END;
ALTER TABLE orders.saga DROP COLUMN amount;

-- The wire object `refund`.
CREATE FUNCTION payments.refund_json(r payments.refund) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', r.id, 'order_id', r.order_id,
	'stripe_refund_id', r.stripe_refund_id, 'stripe_payment_intent_id', r.intent,
	'amount', ops.wire_money(r.amount, r.currency), 'currency', r.currency,
	'reason', r.reason, 'status', r.status, 'failure_reason', r.failure_reason,
	'created_at', ops.wire_time(r.created_at), 'updated_at', ops.wire_time(r.updated_at));

CREATE OR REPLACE FUNCTION payments.payment_json(p payments.payment) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', p.id, 'order_id', p.order_id,
	'stripe_payment_intent_id', p.stripe_payment_intent_id,
	'amount', ops.wire_money(p.amount, p.currency), 'currency', p.currency,
	'status', p.status, 'payment_method', p.payment_method,
	'refund_amount', ops.wire_money(p.refund_amount, p.currency),
	'error_code', p.error_code, 'error_message', p.error_message,
	'created_at', ops.wire_time(p.created_at),
	'updated_at', ops.wire_time(p.updated_at),
	'refunds', coalesce((SELECT json_agg(payments.refund_json(r) ORDER BY r.id)
		FROM payments.refund r WHERE r.order_id = p.order_id), '[]'));

-- Locks what a refund of the order moves.  In this order, everywhere: the
-- order's saga, its payment, the order, its refunds, their sagas, stock.
CREATE FUNCTION payments.lock(p_order bigint) RETURNS payments.payment
LANGUAGE plpgsql AS $$
DECLARE
	found payments.payment;
BEGIN
	PERFORM FROM orders.saga WHERE order_id = p_order AND kind = 'order' FOR NO KEY UPDATE;
	SELECT * INTO found FROM payments.payment WHERE order_id = p_order FOR NO KEY UPDATE;
	PERFORM FROM orders.orders WHERE id = p_order FOR NO KEY UPDATE;
	RETURN found;
END $$;

-- Records that money goes back, and starts the saga that sees to it.
CREATE FUNCTION payments.refund_add(p_order bigint, p_intent text, p_amount bigint,
	p_currency text, p_reason text, p_note text, p_by bigint,
	p_id bigint DEFAULT nextval('payments.refund_id_seq'))
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	s orders.saga;
BEGIN
	INSERT INTO payments.refund (id, order_id, intent, amount, currency, reason, note, requested_by)
	VALUES (p_id, p_order, p_intent, p_amount, upper(p_currency), p_reason, p_note, p_by);
	INSERT INTO orders.saga (order_id, kind, version, state, step, wake_at, deadline, subject)
	VALUES (p_order, 'refund', 1, 'running', 'refund_payment', now(),
		now() + interval '72 hours', p_id)
	RETURNING * INTO s;
	PERFORM orders.saga_note(s, 0, 'refund_payment', 'started', p_id::text);
	RETURN p_id;
END $$;

-- What can still be given back of an order's payment, which is locked.
CREATE FUNCTION payments.refundable(p payments.payment) RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN p.captured_at IS NULL THEN 0 ELSE p.amount - coalesce(sum(r.amount), 0) END
	  FROM payments.refund r
	 WHERE r.order_id = p.order_id AND r.intent = p.stripe_payment_intent_id
	   AND r.status IN ('pending', 'succeeded');
$$;

-- Gives a new refund's saga to the caller.
CREATE FUNCTION orders.saga_claim_refund(p_refund bigint, p_owner text, p_lease_s integer)
RETURNS SETOF orders.saga_work
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	claimed bigint;
BEGIN
	UPDATE orders.saga s SET epoch = epoch + 1, attempt = attempt + 1,
	       owner = p_owner, wake_at = now() + make_interval(secs => p_lease_s)
	  FROM payments.refund r
	 WHERE r.id = p_refund AND s.order_id = r.order_id AND s.kind = 'refund'
	   AND s.subject = p_refund::text AND s.state IN ('running', 'waiting')
	   AND (s.owner IS NULL OR s.wake_at <= now())
	RETURNING s.id INTO claimed;
	RETURN QUERY SELECT * FROM orders.saga_work w WHERE w.id = claimed;
END $$;

-- An admin's refund: of p_amount, or of all that is left.
CREATE FUNCTION payments.refund_request_v1(p_by ops.caller, p_order bigint, p_amount bigint,
	p_reason text, p_owner text, p_lease_s integer, p_key text, p_fingerprint text)
RETURNS SETOF orders.saga_work
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	refund bigint := nextval('payments.refund_id_seq');
	p payments.payment;
	remaining bigint;
BEGIN
	IF p_key IS NOT NULL THEN
		PERFORM ops.idempotency_begin(p_by.actor, p_key, p_fingerprint, 'refund ' || refund);
	END IF;
	p := payments.lock(p_order);
	remaining := payments.refundable(p);
	IF p.id IS NULL THEN
		RAISE EXCEPTION 'not_found' USING ERRCODE = 'SK000';
	ELSIF p.captured_at IS NULL THEN
		RAISE EXCEPTION 'order_not_paid' USING ERRCODE = 'SK000';
	ELSIF remaining = 0 THEN
		RAISE EXCEPTION 'already_refunded' USING ERRCODE = 'SK000';
	ELSIF p_amount > remaining THEN
		RAISE EXCEPTION 'refund_too_large' USING ERRCODE = 'SK000',
			DETAIL = json_build_object('refundable', ops.wire_money(remaining, p.currency));
	END IF;
	PERFORM payments.refund_add(p_order, p.stripe_payment_intent_id,
		coalesce(p_amount, remaining), p.currency, p_reason, NULL, p_by.actor, refund);
	PERFORM ops.audit_add(p_by, 'payment.refunded', 'order:' || p_order, NULL,
		json_build_object('refund_id', refund, 'currency', p.currency,
			'amount', ops.wire_money(coalesce(p_amount, remaining), p.currency)));
	RETURN QUERY SELECT * FROM orders.saga_claim_refund(refund, p_owner, p_lease_s);
END $$;

-- What has come back has changed: payment, order and goods follow.  All is
-- locked.
CREATE FUNCTION orders.refunds_changed(p_order bigint, p_by bigint, p_note text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	p payments.payment;
	o orders.orders;
	becomes text;
	back bigint;
BEGIN
	SELECT coalesce(sum(r.amount), 0) INTO back
	  FROM payments.refund r JOIN payments.payment q USING (order_id)
	 WHERE r.order_id = p_order AND r.intent = q.stripe_payment_intent_id
	   AND r.status = 'succeeded';
	UPDATE payments.payment SET refund_amount = back, updated_at = now(),
	       status = CASE back WHEN 0 THEN 'succeeded' WHEN amount THEN 'refunded'
	                ELSE 'partially_refunded' END
	 WHERE order_id = p_order AND refund_amount <> back RETURNING * INTO p;
	IF NOT FOUND THEN
		RETURN;		-- it was of money that the order never was paid with
	END IF;
	SELECT * INTO o FROM orders.orders WHERE id = p_order;
	becomes := o.status;
	IF back = p.amount AND o.status IN ('paid', 'processing', 'shipped', 'delivered') THEN
		becomes := 'refunded';
		IF o.shipped_at IS NULL THEN
			PERFORM orders.move_lines(p_order, 'returned');
		END IF;
	ELSIF back < p.amount AND o.status = 'refunded' THEN
		-- The money is ours again, and so the order what it was; where its
		-- goods have gone meanwhile, cancelled, with money to be given back.
		IF orders.hold_again(p_order, 'returned') THEN
			PERFORM orders.move_lines(p_order, 'sold');
			SELECT old_status INTO becomes FROM orders.history
			 WHERE order_id = p_order AND new_status = 'refunded' ORDER BY id DESC LIMIT 1;
		ELSE
			becomes := 'cancelled';
		END IF;
	END IF;
	UPDATE orders.orders SET payment_status = p.status, status = becomes, updated_at = now(),
	       cancelled_at = CASE becomes WHEN 'cancelled' THEN coalesce(cancelled_at, now()) END
	 WHERE id = p_order;
	IF becomes <> o.status THEN
		INSERT INTO orders.history (order_id, old_status, new_status, changed_by, notes)
		VALUES (p_order, o.status, becomes, CASE becomes WHEN 'refunded' THEN p_by END,
			CASE becomes WHEN 'refunded' THEN coalesce(p_note, 'All money has gone back')
			ELSE 'A refund has failed' END);
	END IF;
END $$;

-- A refund will not become money.  Of an order that was given up all has to go
-- back: what somebody took at Stripe meanwhile has cost this one its room, and
-- what is left is another refund; where nothing was taken, an operator has to see
-- to it.
CREATE FUNCTION orders.refund_lost(r payments.refund) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	s orders.saga;
	is_given_up boolean := (SELECT o.status = 'cancelled' OR p.stripe_payment_intent_id <> r.intent
		FROM orders.orders o JOIN payments.payment p ON p.order_id = o.id
		WHERE o.id = r.order_id);
	owed bigint := CASE WHEN is_given_up THEN (
		SELECT l.amount FROM payments.ledger l
		 WHERE l.stripe_id = r.intent AND l.kind = 'capture') - (
		SELECT coalesce(sum(f.amount), 0) FROM payments.refund f
		 WHERE f.intent = r.intent AND f.status IN ('pending', 'succeeded')) ELSE 0 END;
	becomes text := CASE WHEN owed >= r.amount THEN 'dead' ELSE 'compensated' END;
BEGIN
	SELECT * INTO s FROM orders.saga WHERE order_id = r.order_id AND kind = 'refund'
	   AND subject = r.id::text FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN;		-- it was made at Stripe
	END IF;
	PERFORM orders.saga_note(s, 1, s.step, becomes, r.failure_reason);
	UPDATE orders.saga SET state = becomes,
	       seq = seq + 1, epoch = epoch + 1, owner = NULL, wake_at = NULL,
	       last_error = r.failure_reason, updated_at = now()
	 WHERE id = s.id;
	IF owed > 0 AND owed < r.amount THEN
		PERFORM payments.refund_add(r.order_id, r.intent, owed, r.currency, r.reason, r.note,
			r.requested_by);
	END IF;
END $$;

-- What Stripe says of a refund, by whichever way: its answer, an event, a
-- list.  Exactly once in effect, in any order: what has failed stays so.
--   'early'     of a payment of ours that we do not know to be paid
--   'unknown'   of a payment that is not ours
--   'mismatch'  it makes no sense
-- else the refund's status, after 'refund_'.  p_ours: the row that asked for it.
CREATE FUNCTION orders.refund_seen_v1(p_intent text, p_id text, p_amount bigint,
	p_currency text, p_status text, p_reason text, p_ours text, p_failure text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	p payments.payment;
	r payments.refund;
	for_order bigint;
	becomes text := CASE p_status WHEN 'succeeded' THEN 'succeeded' WHEN 'failed' THEN 'failed'
		WHEN 'canceled' THEN 'cancelled' ELSE 'pending' END;
	was text;
BEGIN
	SELECT order_id INTO for_order FROM payments.ledger
	 WHERE stripe_id = p_intent AND kind = 'capture';
	IF NOT FOUND THEN
		RETURN CASE WHEN EXISTS (SELECT FROM payments.payment
			WHERE stripe_payment_intent_id = p_intent) THEN 'early' ELSE 'unknown' END;
	END IF;
	p := payments.lock(for_order);
	IF (p_id ~ '^[A-Za-z0-9_]{1,255}$' AND p_amount > 0
	    AND upper(p_currency) = p.currency) IS NOT TRUE THEN
		RETURN 'mismatch';
	END IF;
	SELECT * INTO r FROM payments.refund WHERE stripe_refund_id = p_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		UPDATE payments.refund SET stripe_refund_id = p_id, status = 'pending',
		       failure_reason = NULL, updated_at = now()
		 WHERE id::text = p_ours AND order_id = for_order AND intent = p_intent
		   AND amount = p_amount AND stripe_refund_id IS NULL
		RETURNING * INTO r;
	END IF;
	IF r.id IS NULL THEN
		INSERT INTO payments.refund (order_id, intent, stripe_refund_id, amount, currency, reason)
		VALUES (for_order, p_intent, p_id, p_amount, p.currency, CASE WHEN p_reason IN
			('duplicate', 'fraudulent', 'requested_by_customer') THEN p_reason END)
		RETURNING * INTO r;
	END IF;
	was := r.status;
	IF was = becomes OR was IN ('failed', 'cancelled') OR becomes = 'pending' THEN
		RETURN 'refund_' || was;
	END IF;

	UPDATE payments.refund SET status = becomes, updated_at = now(), failure_reason = CASE
	       WHEN becomes <> 'succeeded' THEN coalesce(p_failure, 'Stripe says that it is ' || becomes) END
	 WHERE id = r.id RETURNING * INTO r;
	IF becomes = 'succeeded' THEN
		PERFORM payments.ledger_post(for_order, 'refund', p_id, r.amount, r.currency);
	ELSIF was = 'succeeded' THEN
		PERFORM payments.ledger_post(for_order, 'refund_reversal', p_id, r.amount, r.currency);
	END IF;
	PERFORM orders.refunds_changed(for_order, r.requested_by, r.note);
	IF becomes = 'succeeded' THEN
		PERFORM orders.refund_done(r);
	ELSE
		PERFORM orders.refund_lost(r);
	END IF;
	RETURN 'refund_' || becomes;
END $$;

-- A refund's saga is at its end, and so are those that had failed to give the
-- same money back.
CREATE FUNCTION orders.refund_done(r payments.refund) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	s orders.saga;
	is_back boolean := (SELECT sum(CASE l.kind WHEN 'capture' THEN l.amount
		WHEN 'refund' THEN -l.amount WHEN 'refund_reversal' THEN l.amount ELSE 0 END) = 0
		FROM payments.ledger l WHERE l.stripe_id = r.intent OR l.stripe_id IN (
			SELECT stripe_refund_id FROM payments.refund WHERE intent = r.intent));
BEGIN
	FOR s IN
		SELECT * FROM orders.saga WHERE order_id = r.order_id AND kind = 'refund'
		   AND (subject = r.id::text OR is_back AND state = 'dead' AND subject::bigint IN (
			SELECT id FROM payments.refund WHERE order_id = r.order_id AND intent = r.intent))
		 ORDER BY id FOR NO KEY UPDATE
	LOOP
		PERFORM orders.saga_note(s, 1, s.step, 'done', r.stripe_refund_id);
		UPDATE orders.saga SET state = 'done', seq = seq + 1, epoch = epoch + 1,
		       owner = NULL, wake_at = NULL, updated_at = now()
		 WHERE id = s.id;
	END LOOP;
END $$;

-- Stripe has taken the refund and says that it will take a while.
CREATE FUNCTION orders.saga_refund_pending_v1(p_saga bigint, p_epoch integer, p_wake_s integer)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga := orders.saga_lock(p_saga, p_epoch, 'running', 'waiting');
BEGIN
	IF s.id IS NULL THEN
		RETURN 'fenced';
	END IF;
	IF s.state = 'running' THEN
		PERFORM orders.saga_note(s, 1, 'refund_payment', 'done', NULL);
	END IF;
	UPDATE orders.saga SET state = 'waiting', step = 'await_refund', attempt = 0,
	       seq = CASE state WHEN 'running' THEN seq + 1 ELSE seq END,
	       owner = NULL, last_error = NULL, updated_at = now(),
	       wake_at = now() + make_interval(secs => p_wake_s)
	 WHERE id = s.id;
	RETURN 'refund_pending';
END $$;

-- Stripe will not make the refund, and has not.
CREATE FUNCTION orders.saga_refund_refused_v1(p_saga bigint, p_epoch integer, p_problem text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga;
	r payments.refund;
BEGIN
	PERFORM payments.lock(order_id) FROM orders.saga WHERE id = p_saga;
	s := orders.saga_lock(p_saga, p_epoch, 'running');
	IF s.id IS NULL THEN
		RETURN 'fenced';
	END IF;
	UPDATE payments.refund SET status = 'failed', failure_reason = p_problem, updated_at = now()
	 WHERE id = s.subject::bigint AND stripe_refund_id IS NULL RETURNING * INTO r;
	PERFORM orders.refund_lost(r);
	RETURN 'refund_failed';
END $$;

-- An operator has the saga of a refund that failed tried again: Stripe makes
-- no failed refund good, so it is another one.
CREATE FUNCTION orders.saga_refund_anew_v1(p_saga bigint, p_epoch integer)
RETURNS SETOF orders.saga_work
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga := orders.saga_lock(p_saga, p_epoch, 'running', 'waiting');
	renewed bigint;
BEGIN
	INSERT INTO payments.refund (order_id, intent, amount, currency, reason, note, requested_by)
	SELECT order_id, intent, amount, currency, reason, note, requested_by
	  FROM payments.refund WHERE id = s.subject::bigint AND status IN ('failed', 'cancelled')
	RETURNING id INTO renewed;
	IF renewed IS NOT NULL THEN
		PERFORM orders.saga_note(s, 1, 'refund_payment', 'started', renewed::text);
		UPDATE orders.saga SET subject = renewed, state = 'running', step = 'refund_payment',
		       seq = seq + 1, updated_at = now() WHERE id = s.id;
		RETURN QUERY SELECT * FROM orders.saga_work w WHERE w.id = s.id;
	END IF;
END $$;

CREATE OR REPLACE FUNCTION orders.saga_retry_v1(p_saga bigint, p_epoch integer,
	p_delay_ms bigint, p_error text, p_new_key boolean)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga := orders.saga_lock(p_saga, p_epoch, 'running', 'waiting', 'compensating');
BEGIN
	IF s.id IS NULL THEN
		RETURN 'fenced';
	END IF;
	-- Stripe answers a key for ever as it did first, its own 500s included.
	IF p_new_key AND s.kind = 'order' THEN
		UPDATE payments.payment SET key_generation = key_generation + 1,
		       updated_at = now() WHERE order_id = s.order_id;
	END IF;
	PERFORM orders.saga_note(s, 1, s.step, 'retry', p_error);
	UPDATE orders.saga SET seq = seq + 1, owner = NULL, last_error = p_error,
	       key_generation = key_generation + p_new_key::integer,
	       wake_at = now() + make_interval(secs => p_delay_ms / 1000.0), updated_at = now()
	 WHERE id = s.id;
	RETURN 'retry';
END $$;

DROP FUNCTION orders.saga_refunded_v1(bigint, integer, text, bigint);

--
-- Cancelling.
--

-- Who may act on an order as its 'owner', as the 'seller' of all its lines, or
-- as 'admin'; for anybody else it does not exist.
CREATE FUNCTION orders.refuse_stranger(p_order bigint, p_user bigint, p_as text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (
		SELECT FROM orders.orders o WHERE o.id = p_order AND CASE p_as
		       WHEN 'admin' THEN true
		       WHEN 'owner' THEN o.user_id = p_user
		       ELSE EXISTS (SELECT FROM orders.item i
		                     WHERE i.order_id = o.id AND i.seller_id = p_user) END) THEN
		RAISE EXCEPTION 'not_found' USING ERRCODE = 'SK000';
	END IF;
	IF p_as = 'seller' AND EXISTS (
		SELECT FROM orders.item WHERE order_id = p_order AND seller_id <> p_user) THEN
		RAISE EXCEPTION 'forbidden' USING ERRCODE = 'SK000',
			HINT = 'Others sell some of the items; only an admin may do this';
	END IF;
END $$;

CREATE FUNCTION orders.refuse_transition(p_from text, p_to text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'invalid_transition' USING ERRCODE = 'SK000',
		DETAIL = json_build_object('from', p_from, 'to', p_to),
		HINT = format('An order that is %s cannot become %s', p_from, p_to);
END $$;

-- A paid order that has not been shipped: its goods come back at once, and its
-- money by a saga.  The refund's id; null when all is on its way already.  All
-- is locked.
CREATE FUNCTION orders.cancel_paid(p payments.payment) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	o orders.orders;
	remaining bigint := payments.refundable(p);
	refund bigint;
BEGIN
	SELECT * INTO o FROM orders.orders WHERE id = p.order_id;
	INSERT INTO orders.history (order_id, old_status, new_status, changed_by, notes)
	VALUES (o.id, o.status, 'cancelled', o.cancel_by,
		coalesce(o.cancel_reason, 'Cancelled on request'));
	UPDATE orders.orders SET status = 'cancelled', cancelled_at = now(), updated_at = now()
	 WHERE id = o.id;
	IF remaining > 0 THEN
		refund := payments.refund_add(o.id, p.stripe_payment_intent_id, remaining,
			p.currency, CASE WHEN o.cancel_by = o.user_id THEN 'requested_by_customer' END,
			NULL, o.cancel_by);
	END IF;
	PERFORM orders.move_lines(o.id, 'returned');
	RETURN refund;
END $$;

-- Cancels an order, or sees to it that it will be: once this is committed, the
-- order ends cancelled whatever dies.  The saga that the caller is to drive:
-- the order's own, where that is being undone, or that of the refund; none
-- where somebody else is at work or all is done.
CREATE FUNCTION orders.cancel_v1(p_order bigint, p_by bigint, p_as text, p_reason text,
	p_owner text, p_lease_s integer)
RETURNS SETOF orders.saga_work
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	p payments.payment;
	o orders.orders;
	s orders.saga;
BEGIN
	PERFORM orders.refuse_stranger(p_order, p_by, p_as);
	p := payments.lock(p_order);
	SELECT * INTO o FROM orders.orders WHERE id = p_order;
	SELECT * INTO s FROM orders.saga WHERE order_id = p_order AND kind = 'order';
	IF o.status = 'cancelled' THEN
		RETURN;
	ELSIF o.status IN ('shipped', 'delivered') THEN
		RAISE EXCEPTION 'order_shipped' USING ERRCODE = 'SK000';
	ELSIF o.status = 'refunded' THEN
		RAISE EXCEPTION 'order_refunded' USING ERRCODE = 'SK000';
	ELSIF s.state IN ('paused', 'dead') THEN
		RAISE EXCEPTION 'order_on_hold' USING ERRCODE = 'SK000';
	END IF;
	UPDATE orders.orders SET cancel_by = p_by, cancel_reason = p_reason, updated_at = now()
	 WHERE id = p_order AND cancel_by IS NULL;
	IF o.status IN ('paid', 'processing') THEN
		RETURN QUERY SELECT * FROM orders.saga_claim_refund(orders.cancel_paid(p),
			p_owner, p_lease_s);
		RETURN;
	END IF;
	-- Whoever drives it now is fenced off.
	IF s.state IN ('running', 'waiting') THEN
		PERFORM orders.saga_note(s, 1, s.step, 'compensating', 'Cancelled on request');
		UPDATE orders.saga SET state = 'compensating', step = 'create_intent', attempt = 0,
		       seq = seq + 1, epoch = epoch + 1, cause = 'Cancelled on request',
		       owner = p_owner, wake_at = now() + make_interval(secs => p_lease_s),
		       updated_at = now()
		 WHERE id = s.id;
		RETURN QUERY SELECT * FROM orders.saga_work w WHERE w.id = s.id;
	ELSE
		RETURN QUERY SELECT * FROM orders.saga_claim_order(p_order, p_owner, p_lease_s);
	END IF;
END $$;

CREATE OR REPLACE FUNCTION orders.saga_compensated_v1(p_saga bigint, p_epoch integer, p_intent text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga := orders.saga_lock(p_saga, p_epoch, 'compensating');
BEGIN
	IF s.id IS NULL THEN
		RETURN 'fenced';
	END IF;
	PERFORM orders.saga_note(s, 1, 'create_intent', 'compensated', p_intent);
	PERFORM orders.saga_note(s, 2, 'reserve_stock', 'compensated', NULL);
	UPDATE payments.payment SET status = 'cancelled', updated_at = now(),
	       stripe_payment_intent_id = coalesce(stripe_payment_intent_id, p_intent)
	 WHERE order_id = s.order_id;
	INSERT INTO orders.history (order_id, old_status, new_status, changed_by, notes)
	SELECT s.order_id, o.status, 'cancelled', o.cancel_by, coalesce(o.cancel_reason, s.cause)
	  FROM orders.orders o WHERE o.id = s.order_id FOR NO KEY UPDATE;
	UPDATE orders.orders SET status = 'cancelled', payment_status = 'cancelled',
	       cancelled_at = now(), updated_at = now()
	 WHERE id = s.order_id;
	UPDATE orders.saga SET state = 'compensated', step = 'reserve_stock', seq = seq + 2,
	       owner = NULL, wake_at = NULL, updated_at = now()
	 WHERE id = s.id;
	PERFORM orders.move_lines(s.order_id, 'released');
	RETURN 'compensated';
END $$;

-- Stripe has the money, says an event, a look-up or a refused cancellation.
-- Exactly once in effect, whoever calls how often:
--   'paid'      the order is paid now
--   'already'   it was
--   'retaken'   it had been cancelled; its stock could be taken again
--   'refunding' the money goes back: the order was to be cancelled, or its
--               time had run out and the stock is gone, or this is not the
--               order's own intent
--   'mismatch'  not the amount that was asked; for an operator to look at
CREATE OR REPLACE FUNCTION orders.payment_succeeded_checked(p_order bigint, p_intent text,
	p_nonce text, p_amount bigint, p_currency text, p_method text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga;
	p payments.payment;
	o orders.orders;
	outcome text := 'paid';
BEGIN
	p := payments.lock(p_order);
	SELECT * INTO s FROM orders.saga WHERE order_id = p_order AND kind = 'order';
	SELECT * INTO o FROM orders.orders WHERE id = p_order;
	IF s.id IS NULL OR p_nonce IS DISTINCT FROM p.nonce THEN
		RETURN 'unknown';
	END IF;
	IF EXISTS (SELECT FROM payments.ledger WHERE stripe_id = p_intent AND kind = 'capture') THEN
		RETURN CASE WHEN p_intent = p.stripe_payment_intent_id THEN 'already' ELSE 'refunding' END;
	END IF;
	IF p_intent <> coalesce(p.stripe_payment_intent_id, p_intent) THEN
		PERFORM payments.ledger_post(p_order, 'capture', p_intent, p_amount, upper(p_currency));
		PERFORM payments.refund_add(p_order, p_intent, p_amount, p_currency, NULL, NULL, NULL);
		RETURN 'refunding';
	END IF;
	IF p_amount IS DISTINCT FROM p.amount OR upper(p_currency) IS DISTINCT FROM p.currency THEN
		RETURN 'mismatch';
	END IF;

	UPDATE payments.payment SET status = 'succeeded', captured_at = now(),
	       updated_at = now(), stripe_payment_intent_id = p_intent,
	       payment_method = p_method, error_code = NULL, error_message = NULL
	 WHERE order_id = p_order RETURNING * INTO p;
	PERFORM payments.ledger_post(p_order, 'capture', p_intent, p_amount, p.currency);
	IF s.state = 'compensated' THEN
		IF o.cancel_by IS NOT NULL OR NOT orders.hold_again(p_order, 'released') THEN
			UPDATE orders.orders SET payment_status = 'succeeded', updated_at = now()
			 WHERE id = p_order;
			PERFORM payments.refund_add(p_order, p_intent, p_amount, p_currency, NULL, NULL, NULL);
			PERFORM payments.apply_early(p_order);
			RETURN 'refunding';
		END IF;
		outcome := 'retaken';
	END IF;
	INSERT INTO orders.history (order_id, old_status, new_status, notes)
	VALUES (p_order, o.status, 'paid', 'Payment received');
	UPDATE orders.orders SET status = 'paid', payment_status = 'succeeded',
	       paid_at = now(), cancelled_at = NULL, updated_at = now()
	 WHERE id = p_order;
	PERFORM orders.saga_note(s, 1, 'await_payment', 'done', p_intent);
	UPDATE orders.saga SET state = 'done', step = 'await_payment', seq = seq + 1,
	       epoch = epoch + 1, owner = NULL, wake_at = NULL, updated_at = now()
	 WHERE id = s.id;
	PERFORM orders.move_lines(p_order, 'sold');
	IF o.cancel_by IS NOT NULL THEN		-- the money was faster
		PERFORM orders.cancel_paid(p);
		outcome := 'refunding';
	END IF;
	PERFORM payments.apply_early(p_order);
	RETURN outcome;
END $$;
DROP FUNCTION orders.refund_start(orders.saga, text, bigint, text);

-- What came before the money it is about.
CREATE FUNCTION payments.apply_early(p_order bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	e payments.webhook_event;
BEGIN
	FOR e IN SELECT * FROM payments.webhook_event
	          WHERE order_id = p_order AND outcome = 'early' ORDER BY received_at, id
	LOOP
		UPDATE payments.webhook_event
		   SET outcome = payments.apply_event(e.type, e.order_id, e.payload -> 'data' -> 'object')
		 WHERE id = e.id;
	END LOOP;
END $$;

-- An event about a refund.  Stripe names the same change in two ways.
CREATE FUNCTION payments.refund_event(p_object json) RETURNS text
LANGUAGE sql AS $$
	SELECT orders.refund_seen_v1(p_object ->> 'payment_intent', p_object ->> 'id',
		CASE WHEN p_object ->> 'amount' ~ '^[0-9]{1,15}$' THEN (p_object ->> 'amount')::bigint END,
		p_object ->> 'currency', p_object ->> 'status', p_object ->> 'reason',
		p_object -> 'metadata' ->> 'refund_id', p_object ->> 'failure_reason');
$$;

-- Applies what an event says of an object of p_order's, or of nobody's (null);
-- returns what came of it.  The order's saga is locked.  Must bear every event
-- again, late and in any order.
CREATE FUNCTION payments.apply_event(p_type text, p_order bigint, p_object json)
RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
	IF p_order IS NULL THEN
		RETURN 'stored';
	END IF;
	CASE p_object ->> 'object' || ' ' || p_type
	WHEN 'payment_intent payment_intent.succeeded' THEN
		RETURN orders.payment_succeeded_v1(p_order, p_object ->> 'id',
			p_object -> 'metadata' ->> 'nonce',
			CASE WHEN p_object ->> 'amount_received' ~ '^[0-9]{1,15}$'
			     THEN (p_object ->> 'amount_received')::bigint END,
			p_object ->> 'currency',
			p_object ->> 'payment_method');
	WHEN 'payment_intent payment_intent.payment_failed' THEN
		RETURN orders.payment_failed_v1(p_order, p_object ->> 'id',
			coalesce(p_object -> 'last_payment_error' ->> 'decline_code',
				p_object -> 'last_payment_error' ->> 'code'),
			p_object -> 'last_payment_error' ->> 'message');
	WHEN 'payment_intent payment_intent.processing' THEN
		RETURN orders.payment_processing_v1(p_order, p_object ->> 'id');
	WHEN 'payment_intent payment_intent.canceled' THEN
		RETURN orders.payment_canceled_v1(p_order, p_object ->> 'id');
	WHEN 'refund refund.created', 'refund refund.updated', 'refund refund.failed',
	     'refund charge.refund.updated' THEN
		RETURN payments.refund_event(p_object);
	WHEN 'charge charge.refunded' THEN
		RETURN payments.charge_refunded(p_object);
	ELSE
		RETURN 'stored';
	END CASE;
END $$;

-- A charge says how much of it has been refunded, by no name but where its
-- refunds are in it.  'behind': more than we know of, until they are told.
CREATE FUNCTION payments.charge_refunded(p_object json) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	IF json_typeof(p_object -> 'refunds' -> 'data') = 'array' THEN
		PERFORM payments.refund_event(r) FROM json_array_elements(p_object -> 'refunds' -> 'data') r;
	END IF;
	RETURN CASE WHEN (p_object ->> 'amount_refunded') = (
		SELECT coalesce(sum(amount), 0)::text FROM payments.refund
		 WHERE intent = p_object ->> 'payment_intent' AND stripe_refund_id IS NOT NULL
		   AND status IN ('pending', 'succeeded')) THEN 'noted' ELSE 'behind' END;
END $$;

--
-- What sellers and admins do with an order.
--

-- Along the way of the goods.
CREATE FUNCTION orders.set_status_v1(p_order bigint, p_by bigint, p_as text, p_status text,
	p_notes text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	was text;
BEGIN
	PERFORM orders.refuse_stranger(p_order, p_by, p_as);
	SELECT status INTO was FROM orders.orders WHERE id = p_order FOR NO KEY UPDATE;
	IF p_status IS DISTINCT FROM (CASE was WHEN 'paid' THEN 'processing'
	    WHEN 'processing' THEN 'shipped' WHEN 'shipped' THEN 'delivered' END) THEN
		PERFORM orders.refuse_transition(was, p_status);
	END IF;
	UPDATE orders.orders SET status = p_status, updated_at = now(),
	       shipped_at = CASE p_status WHEN 'shipped' THEN now() ELSE shipped_at END,
	       delivered_at = CASE p_status WHEN 'delivered' THEN now() ELSE delivered_at END
	 WHERE id = p_order;
	INSERT INTO orders.history (order_id, old_status, new_status, changed_by, notes)
	VALUES (p_order, was, p_status, p_by, p_notes);
END $$;

-- All that is left to refund goes back, and the order becomes refunded when
-- it has.
CREATE FUNCTION orders.refund_v1(p_order bigint, p_by bigint, p_as text, p_notes text,
	p_owner text, p_lease_s integer)
RETURNS SETOF orders.saga_work
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	p payments.payment;
	was text;
	remaining bigint;
BEGIN
	PERFORM orders.refuse_stranger(p_order, p_by, p_as);
	p := payments.lock(p_order);
	SELECT status INTO was FROM orders.orders WHERE id = p_order;
	remaining := payments.refundable(p);
	IF was NOT IN ('paid', 'processing', 'shipped', 'delivered') THEN
		PERFORM orders.refuse_transition(was, 'refunded');
	ELSIF remaining > 0 THEN
		RETURN QUERY SELECT * FROM orders.saga_claim_refund(payments.refund_add(p_order,
			p.stripe_payment_intent_id, remaining, p.currency, NULL, p_notes, p_by),
			p_owner, p_lease_s);
	END IF;
END $$;

CREATE FUNCTION orders.set_tracking_v1(p_order bigint, p_by bigint, p_as text,
	p_number text, p_carrier text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	was text;
BEGIN
	PERFORM orders.refuse_stranger(p_order, p_by, p_as);
	SELECT status INTO was FROM orders.orders WHERE id = p_order FOR NO KEY UPDATE;
	IF was NOT IN ('paid', 'processing', 'shipped', 'delivered') THEN
		RAISE EXCEPTION '%', CASE was WHEN 'cancelled' THEN 'order_cancelled'
			WHEN 'refunded' THEN 'order_refunded' ELSE 'order_not_paid' END
			USING ERRCODE = 'SK000';
	END IF;
	UPDATE orders.orders SET tracking_number = p_number, carrier = p_carrier, updated_at = now()
	 WHERE id = p_order;
END $$;

-- Is somebody at work on undoing the order just now?
CREATE FUNCTION orders.is_being_undone(p_order bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT EXISTS (SELECT FROM orders.saga WHERE order_id = p_order AND kind = 'order'
		AND state = 'compensating' AND owner IS NOT NULL AND wake_at > now());
$$;

CREATE OR REPLACE FUNCTION orders.user_erase(p_user bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	UPDATE orders.orders SET shipping_address = 'erased', shipping_city = NULL,
	       shipping_state = NULL, shipping_zip = NULL, shipping_country = NULL,
	       customer_notes = NULL, tracking_number = NULL, updated_at = now(),
	       cancel_reason = CASE WHEN cancel_by <> p_user THEN cancel_reason END
	 WHERE user_id = p_user;
	UPDATE orders.history SET notes = NULL WHERE changed_by = p_user
	   AND order_id IN (SELECT id FROM orders.orders WHERE user_id = p_user);
$$;

-- Lists: by status, of one buyer or of all.
CREATE INDEX orders_user_status ON orders.orders (user_id, status, id);
CREATE INDEX orders_status ON orders.orders (status, id);

GRANT SELECT ON payments.refund TO souk_payments;
GRANT EXECUTE ON FUNCTION payments.refund_json(payments.refund),
	payments.refund_request_v1(ops.caller, bigint, bigint, text, text, integer, text, text)
	TO souk_payments;
GRANT EXECUTE ON FUNCTION orders.cancel_v1(bigint, bigint, text, text, text, integer),
	orders.set_status_v1(bigint, bigint, text, text, text),
	orders.refund_v1(bigint, bigint, text, text, text, integer),
	orders.set_tracking_v1(bigint, bigint, text, text, text),
	orders.is_being_undone(bigint) TO souk_orders;
GRANT EXECUTE ON FUNCTION orders.saga_claim_refund(bigint, text, integer)
	TO souk_payments;
GRANT EXECUTE ON FUNCTION
	orders.refund_seen_v1(text, text, bigint, text, text, text, text, text),
	orders.saga_refund_pending_v1(bigint, integer, integer),
	orders.saga_refund_refused_v1(bigint, integer, text),
	orders.saga_refund_anew_v1(bigint, integer)
	TO souk_orders, souk_payments, souk_cron;
