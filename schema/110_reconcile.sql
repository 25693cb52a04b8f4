-- Stripe's books and ours: disputes, what webhooks lost, and where the two
-- differ.

GRANT USAGE ON SCHEMA payments TO souk_cron;

--
-- What a payment can be made for.
--

-- Of a currency with three digits Stripe takes amounts whose last is 0.
-- https://docs.stripe.com/currencies#three-decimal
CREATE FUNCTION ops.currency_step(currency text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE ops.currency_digits(currency) WHEN 3 THEN 10 ELSE 1 END;

-- The least a charge can be, in minor units, where Stripe says so; elsewhere
-- what it says of most.  https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
CREATE FUNCTION payments.least_amount(currency text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE currency
	WHEN 'GBP' THEN 30 WHEN 'BGN' THEN 100 WHEN 'AED' THEN 200 WHEN 'MYR' THEN 200
	WHEN 'PLN' THEN 200 WHEN 'RON' THEN 200 WHEN 'DKK' THEN 250 WHEN 'NOK' THEN 300
	WHEN 'SEK' THEN 300 WHEN 'HKD' THEN 400 WHEN 'MXN' THEN 1000 WHEN 'THB' THEN 1000
	WHEN 'CZK' THEN 1500 ELSE 50 END;

-- Refuses a total that no payment can be made for.
CREATE FUNCTION payments.refuse_unpayable(p_total numeric, p_currency text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$
DECLARE
	least bigint := payments.least_amount(p_currency);
	most CONSTANT bigint := 99999999;	-- eight digits
BEGIN
	IF p_total NOT BETWEEN least AND most THEN
		RAISE EXCEPTION 'order_total_out_of_range' USING ERRCODE = 'SK000',
			HINT = format('An order must come to at least %s and at most %s %s',
				ops.wire_money(least, p_currency), ops.wire_money(most, p_currency),
				p_currency);
	END IF;
END $$;

-- What has to be taken off a total so that it can be paid: the customer's
-- gain, at most nine thousandths.  The order shows it as its discount
-- (142_payable.sql).
CREATE FUNCTION payments.rounding_off(p_total numeric, p_currency text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (p_total % ops.currency_step(p_currency))::bigint;

ALTER TABLE payments.payment ADD CONSTRAINT amount_can_be_paid
	CHECK (amount % ops.currency_step(currency) = 0) NOT VALID;

--
-- Real money or a rehearsal: what Stripe said when it made the intent.
--

ALTER TABLE payments.payment ADD livemode boolean;

DROP FUNCTION orders.saga_intent_created_v1(bigint, integer, text, text, integer);
CREATE FUNCTION orders.saga_intent_created_v1(p_saga bigint, p_epoch integer,
	p_intent text, p_client_secret text, p_wake_s integer, p_livemode boolean DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga := orders.saga_lock(p_saga, p_epoch, 'running');
BEGIN
	IF s.id IS NULL OR s.step <> 'create_intent' THEN
		RETURN 'fenced';
	END IF;
	-- This can be made again from the same idempotency key, so nobody need
	-- wait for the disk.
	PERFORM set_config('synchronous_commit', 'off', true);
	UPDATE payments.payment SET stripe_payment_intent_id = p_intent,
	       client_secret = p_client_secret, livemode = p_livemode, updated_at = now()
	 WHERE order_id = s.order_id;
	PERFORM orders.saga_note(s, 1, 'create_intent', 'done', p_intent);
	UPDATE orders.saga SET state = 'waiting', step = 'await_payment', attempt = 0,
	       seq = seq + 1, owner = NULL, last_error = NULL, updated_at = now(),
	       wake_at = least(deadline, now() + make_interval(secs => p_wake_s))
	 WHERE id = s.id;
	RETURN 'waiting';
END $$;
GRANT EXECUTE ON FUNCTION
	orders.saga_intent_created_v1(bigint, integer, text, text, integer, boolean)
	TO souk_orders, souk_payments, souk_cron;

--
-- Where the books differ, for an operator to look at.  A row goes when a later
-- look finds that they agree.
--

-- kind:
--   unknown    Stripe holds money of an intent that is ours by its metadata,
--              and no payment of ours
--   mismatch   an intent is not of the amount, currency, metadata or mode of
--              the payment it is for, and there is money in it
--   captured   another amount was captured than our ledger says
--   refunded   another amount went back than our ledger says
--   event      an event that could not be applied
CREATE TABLE payments.drift (
	id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind      text NOT NULL CHECK (kind IN ('unknown', 'mismatch', 'captured',
	          'refunded', 'event')),
	stripe_id text NOT NULL CHECK (length(stripe_id) <= 255),	-- the intent or event
	order_id  bigint,
	ours      bigint,		-- minor units of currency
	theirs    bigint,
	currency  char(3),
	detail    text NOT NULL,
	found_at  timestamptz NOT NULL DEFAULT now(),
	seen_at   timestamptz NOT NULL DEFAULT now(),	-- last found to be so
	looked_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (stripe_id, kind)
);
CREATE INDEX drift_looked ON payments.drift (looked_at);

CREATE FUNCTION payments.drift_note(p_kind text, p_stripe_id text, p_order bigint,
	p_ours bigint, p_theirs bigint, p_currency text, p_detail text)
RETURNS void LANGUAGE sql AS $$
	INSERT INTO payments.drift AS d (kind, stripe_id, order_id, ours, theirs, currency, detail)
	VALUES (p_kind, p_stripe_id, p_order, p_ours, p_theirs, upper(p_currency), p_detail)
	ON CONFLICT (stripe_id, kind) DO UPDATE
	   SET order_id = excluded.order_id, ours = excluded.ours, theirs = excluded.theirs,
	       currency = excluded.currency, detail = excluded.detail, seen_at = now();
$$;

-- An amount, or null.
CREATE FUNCTION payments.whole(p_digits text) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN p_digits ~ '^[0-9]{1,15}$' THEN p_digits::bigint END;

-- A paid intent that does not fit its payment, or fits none; false of one that
-- is not ours, by its metadata.
CREATE FUNCTION payments.misfit_note(p_intent json, p payments.payment, p_outcome text)
RETURNS boolean LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
	named CONSTANT text := p_intent ->> 'id';
	currency CONSTANT text := CASE WHEN p_intent ->> 'currency' ~ '^[A-Za-z]{3}$'
		THEN p_intent ->> 'currency' END;
BEGIN
	IF p_outcome = 'mismatch' OR named = p.stripe_payment_intent_id THEN
		PERFORM payments.drift_note('mismatch', named, p.order_id, p.amount,
			payments.whole(p_intent ->> 'amount_received'), p.currency,
			CASE WHEN upper(currency) IS DISTINCT FROM p.currency
			     THEN 'Paid in another currency: ' || coalesce(currency, 'none')
			     WHEN p_outcome = 'unknown' THEN 'The metadata are not the payment''s'
			     ELSE 'Not the amount that was asked for' END);
	ELSIF p_intent -> 'metadata' ->> 'nonce' ~ '^[0-9a-f]{16}$' THEN
		PERFORM payments.drift_note('unknown', named, NULL, NULL,
			payments.whole(p_intent ->> 'amount_received'), currency,
			'A payment by our metadata, of order '
			|| coalesce(left(p_intent -> 'metadata' ->> 'order_id', 20), '?')
			|| ', that we know nothing of');
	ELSE
		RETURN false;
	END IF;
	RETURN true;
END $$;

CREATE FUNCTION payments.drift_json(d payments.drift) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', d.id, 'kind', d.kind, 'stripe_id', d.stripe_id,
	'order_id', d.order_id, 'ours', ops.wire_money(d.ours, d.currency),
	'theirs', ops.wire_money(d.theirs, d.currency), 'currency', d.currency,
	'detail', d.detail, 'found_at', ops.wire_time(d.found_at),
	'seen_at', ops.wire_time(d.seen_at));

--
-- Disputes.  The money of one leaves by 'dispute' and comes back, when it is
-- won, by 'dispute_reversal': each at most once, whatever is reported how often
-- and in what order.
--

ALTER TABLE payments.ledger DROP CONSTRAINT ledger_kind_check;
ALTER TABLE payments.ledger ADD CONSTRAINT ledger_kind_check CHECK (kind IN
	('capture', 'refund', 'refund_reversal', 'dispute', 'dispute_reversal'));

CREATE OR REPLACE FUNCTION payments.ledger_post(p_order bigint, p_kind text,
	p_stripe_id text, p_amount bigint, p_currency text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO payments.ledger (order_id, kind, debit, credit, amount, currency, stripe_id)
	SELECT p_order, p_kind,
	       CASE p_kind WHEN 'refund' THEN 'customer' WHEN 'dispute' THEN 'disputed' ELSE 'stripe' END,
	       CASE WHEN p_kind IN ('refund', 'dispute') THEN 'stripe'
	            WHEN p_kind = 'dispute_reversal' THEN 'disputed' ELSE 'customer' END,
	       p_amount, p_currency, p_stripe_id
	ON CONFLICT (stripe_id, kind) DO NOTHING;
$$;

CREATE TABLE payments.dispute (
	id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	stripe_dispute_id text NOT NULL UNIQUE,
	order_id  bigint NOT NULL,
	stripe_payment_intent_id text,
	stripe_charge_id text,
	amount    bigint NOT NULL CHECK (amount > 0),
	currency  char(3) NOT NULL,
	reason    text,
	status    text NOT NULL,	-- Stripe's word
	evidence_due_by timestamptz,
	told_at   timestamptz NOT NULL,	-- when what this says was so, by Stripe's clock
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX dispute_order ON payments.dispute (order_id, id);
CREATE INDEX dispute_status ON payments.dispute (status, id);

-- Of two reports from one second, the later is the one further on.
CREATE FUNCTION payments.dispute_rank(p_status text) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN p_status IN ('won', 'lost', 'warning_closed', 'prevented') THEN 5
	WHEN p_status = 'under_review' THEN 4
	WHEN p_status = 'needs_response' THEN 3
	WHEN p_status = 'warning_under_review' THEN 2
	ELSE 1 END;

CREATE FUNCTION payments.dispute_told(p_order bigint, p_type text, p_object json,
	p_at timestamptz) RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
	named CONSTANT text := p_object ->> 'id';
	due CONSTANT text := p_object -> 'evidence_details' ->> 'due_by';
	d payments.dispute;
	result text := 'noted';
	is_out boolean;
	is_back boolean;
BEGIN
	IF (named ~ '^[A-Za-z0-9_]{1,255}$' AND p_object ->> 'amount' ~ '^[1-9][0-9]{0,14}$'
	    AND p_object ->> 'currency' ~ '^[A-Za-z]{3}$'
	    AND p_object ->> 'status' ~ '^[a-z_]{1,50}$') IS NOT TRUE THEN
		RETURN 'mismatch';
	END IF;
	INSERT INTO payments.dispute AS old (stripe_dispute_id, order_id,
		stripe_payment_intent_id, stripe_charge_id, amount, currency, reason, status,
		evidence_due_by, told_at)
	VALUES (named, p_order, p_object ->> 'payment_intent', p_object ->> 'charge',
		(p_object ->> 'amount')::bigint, upper(p_object ->> 'currency'),
		left(p_object ->> 'reason', 100), p_object ->> 'status',
		CASE WHEN due ~ '^[1-9][0-9]{0,10}$' THEN to_timestamp(due::bigint) END, p_at)
	ON CONFLICT (stripe_dispute_id) DO UPDATE
	   SET amount = excluded.amount, reason = excluded.reason, status = excluded.status,
	       evidence_due_by = excluded.evidence_due_by, told_at = excluded.told_at,
	       updated_at = now()
	 WHERE (old.told_at, payments.dispute_rank(old.status))
	    <= (excluded.told_at, payments.dispute_rank(excluded.status))
	RETURNING * INTO d;
	IF NOT FOUND THEN
		SELECT * INTO d FROM payments.dispute WHERE stripe_dispute_id = named;
		result := 'stale';
	END IF;

	-- Where the money is.  It never comes back from a dispute that is lost, and
	-- it is back when one is won that had taken it.
	SELECT coalesce(bool_or(t ->> 'amount' LIKE '-%'), false),
	       coalesce(bool_or(t ->> 'amount' ~ '^[1-9]'), false)
	  INTO is_out, is_back
	  FROM json_array_elements(CASE json_typeof(p_object -> 'balance_transactions')
		WHEN 'array' THEN p_object -> 'balance_transactions' ELSE '[]' END) t
	 WHERE json_typeof(t) = 'object';
	is_back := is_back OR p_type = 'charge.dispute.funds_reinstated';
	is_out := is_out OR is_back OR d.status = 'lost'
	    OR p_type = 'charge.dispute.funds_withdrawn'
	    OR EXISTS (SELECT FROM payments.ledger WHERE stripe_id = named AND kind = 'dispute');
	IF is_out THEN
		PERFORM payments.ledger_post(d.order_id, 'dispute', named, d.amount, d.currency);
	END IF;
	IF is_back OR (is_out AND d.status = 'won') THEN
		PERFORM payments.ledger_post(d.order_id, 'dispute_reversal', named, l.amount, l.currency)
		   FROM payments.ledger l WHERE l.stripe_id = named AND l.kind = 'dispute';
	END IF;
	RETURN result;
END $$;

CREATE FUNCTION payments.dispute_json(d payments.dispute) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', d.id, 'stripe_dispute_id', d.stripe_dispute_id,
	'order_id', d.order_id, 'stripe_payment_intent_id', d.stripe_payment_intent_id,
	'stripe_charge_id', d.stripe_charge_id,
	'amount', ops.wire_money(d.amount, d.currency), 'currency', d.currency,
	'reason', d.reason, 'status', d.status,
	'funds', (
		SELECT CASE WHEN bool_or(l.kind = 'dispute_reversal') THEN 'reinstated'
		            WHEN count(*) > 0 THEN 'withdrawn' ELSE 'untouched' END
		  FROM payments.ledger l WHERE l.stripe_id = d.stripe_dispute_id),
	'evidence_due_by', ops.wire_time(d.evidence_due_by),
	'created_at', ops.wire_time(d.created_at), 'updated_at', ops.wire_time(d.updated_at));

-- The wire object `payment`.
CREATE OR REPLACE FUNCTION payments.payment_json(p payments.payment) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', p.id, 'order_id', p.order_id,
	'stripe_payment_intent_id', p.stripe_payment_intent_id,
	'amount', ops.wire_money(p.amount, p.currency), 'currency', p.currency,
	'status', p.status, 'payment_method', p.payment_method,
	'refund_amount', ops.wire_money(p.refund_amount, p.currency),
	'dispute_status', (
		SELECT d.status FROM payments.dispute d
		 WHERE d.order_id = p.order_id ORDER BY d.id DESC LIMIT 1),
	'error_code', p.error_code, 'error_message', p.error_message,
	'created_at', ops.wire_time(p.created_at),
	'updated_at', ops.wire_time(p.updated_at),
	'refunds', coalesce((SELECT json_agg(payments.refund_json(r) ORDER BY r.id)
		FROM payments.refund r WHERE r.order_id = p.order_id), '[]'));

--
-- Events.
--

-- source: 'webhook', or 'reconcile' for what was found by looking.
ALTER TABLE payments.webhook_event
	ADD source text NOT NULL DEFAULT 'webhook' CHECK (source IN ('webhook', 'reconcile')),
	ADD problem text;
CREATE INDEX webhook_event_age ON payments.webhook_event (received_at);
CREATE INDEX webhook_event_again ON payments.webhook_event (outcome, received_at)
	WHERE outcome IN ('failed', 'foreign');

-- When Stripe last said how an attempt to pay stands.
ALTER TABLE payments.payment ADD told_at timestamptz;

-- An event's own time.
CREATE FUNCTION payments.event_time(p_payload json) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN CASE WHEN p_payload ->> 'created' ~ '^[1-9][0-9]{0,10}$'
	THEN to_timestamp((p_payload ->> 'created')::bigint) ELSE now() END;

-- What an event says, applied as far as it is true, new, and about a payment
-- of ours.  The order's saga is locked.
CREATE FUNCTION payments.event_apply(p_id text, p_type text, p_order bigint, p_payload json)
RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
	object CONSTANT json := p_payload -> 'data' -> 'object';
	at CONSTANT timestamptz := payments.event_time(p_payload);
	p payments.payment;
	result text;
BEGIN
	IF p_order IS NULL THEN
		RETURN CASE WHEN p_type ~ '^(payment_intent|charge|refund)\.' THEN 'foreign' ELSE 'stored' END;
	END IF;
	SELECT * INTO p FROM payments.payment WHERE order_id = p_order;
	IF p_payload ->> 'livemode' <> p.livemode::text THEN
		PERFORM payments.drift_note('event', p_id, p_order, NULL, NULL, NULL,
			CASE WHEN p.livemode THEN 'A test event about a live payment'
			     ELSE 'A live event about a test payment' END);
		RETURN 'mismatch';
	END IF;
	IF object ->> 'object' = 'dispute' AND p_type LIKE 'charge.dispute.%' THEN
		RETURN payments.dispute_told(p_order, p_type, object, at);
	END IF;
	-- Of two attempts to pay, the later one counts, whichever is told last.
	IF p_type IN ('payment_intent.payment_failed', 'payment_intent.processing')
	    AND object ->> 'id' = p.stripe_payment_intent_id THEN
		IF at < p.told_at THEN
			RETURN 'stale';
		END IF;
		UPDATE payments.payment SET told_at = at WHERE order_id = p_order;
	END IF;
	result := payments.apply_event(p_type, p_order, object);
	IF p_type = 'payment_intent.succeeded' AND result IN ('mismatch', 'unknown')
	    AND object ->> 'id' ~ '^[A-Za-z0-9_]{1,255}$' THEN
		PERFORM payments.misfit_note(object, p, result);
	END IF;
	RETURN result;
END $$;

-- Stores an event and applies it, in one commit.  An event seen before does
-- nothing more, unless nothing came of it then; nor does a stale one.  One that
-- cannot be applied is kept, for an operator and for another try: an error
-- here would only make Stripe send it again, and in the end give up.
DROP FUNCTION payments.webhook_ingest(text, text, json);
CREATE FUNCTION payments.webhook_ingest(p_id text, p_type text, p_payload json,
	p_source text DEFAULT 'webhook')
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	object json := p_payload -> 'data' -> 'object';
	for_order bigint := payments.order_of(object);
	result text := 'stored';
	told text;
BEGIN
	-- The order's saga is locked before the event is written: two deliveries
	-- of one event then queue here, not half-way through.
	PERFORM FROM orders.saga WHERE order_id = for_order AND kind = 'order'
	    FOR NO KEY UPDATE;
	INSERT INTO payments.webhook_event (id, type, order_id, object_id, payload, outcome, source)
	VALUES (p_id, p_type, for_order, object ->> 'id', p_payload, result, p_source)
	ON CONFLICT (id) DO UPDATE SET order_id = excluded.order_id
	 WHERE webhook_event.outcome IN ('failed', 'foreign');
	IF NOT FOUND THEN
		RETURN 'duplicate';
	END IF;
	BEGIN
		result := payments.event_apply(p_id, p_type, for_order, p_payload);
	EXCEPTION
	-- These may go better the next time.
	WHEN transaction_rollback OR unique_violation OR foreign_key_violation
	    OR lock_not_available OR insufficient_resources OR operator_intervention THEN
		RAISE;
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS told = MESSAGE_TEXT;
		result := 'failed';
		PERFORM payments.drift_note('event', p_id, for_order, NULL, NULL, NULL,
			left('It could not be applied: ' || told, 500));
	END;
	IF result NOT IN ('failed', 'mismatch') THEN
		DELETE FROM payments.drift WHERE stripe_id = p_id AND kind = 'event';
	END IF;
	UPDATE payments.webhook_event SET outcome = result, problem = told WHERE id = p_id;
	RETURN result;
END $$;

-- Tries events again that had no effect: what was wrong may have been mended,
-- and whom it is about may be known by now.
CREATE FUNCTION payments.webhook_again(p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	e payments.webhook_event;
	mended bigint := 0;
BEGIN
	FOR e IN
		(SELECT * FROM payments.webhook_event WHERE outcome = 'failed'
		  ORDER BY received_at LIMIT p_limit)
		UNION ALL
		(SELECT * FROM payments.webhook_event
		  WHERE outcome = 'foreign' AND received_at > now() - interval '1 hour'
		    AND payments.order_of(payload -> 'data' -> 'object') IS NOT NULL
		  ORDER BY received_at LIMIT p_limit)
	LOOP
		IF payments.webhook_ingest(e.id, e.type, e.payload, e.source)
		    NOT IN ('failed', 'foreign', 'duplicate') THEN
			mended := mended + 1;
		END IF;
	END LOOP;
	RETURN mended;
END $$;

-- Forgets events that came p_age_s ago, at most p_limit.
CREATE FUNCTION payments.webhook_purge(p_age_s integer, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	purged bigint;
BEGIN
	WITH gone AS (
		DELETE FROM payments.webhook_event WHERE id = ANY (ARRAY(
			SELECT e.id FROM payments.webhook_event e
			 WHERE e.received_at < now() - make_interval(secs => p_age_s)
			   AND e.outcome <> 'failed'
			 ORDER BY e.received_at LIMIT p_limit FOR UPDATE SKIP LOCKED))
		RETURNING id),
	told AS (
		DELETE FROM payments.drift d USING gone g WHERE d.stripe_id = g.id AND d.kind = 'event')
	SELECT count(*) INTO purged FROM gone;
	RETURN purged;
END $$;

--
-- Looking through Stripe's lists.  A walk goes from the newest entry of one
-- instant (until) down to where the one before it began (since), in as many
-- runs as that takes; after is the last entry seen.
--

CREATE TABLE payments.walk (
	name   text PRIMARY KEY,
	since  timestamptz NOT NULL DEFAULT now() - interval '30 days',	-- as far as events go
	until  timestamptz,		-- null: none is under way
	after  text,			-- null: at its top
	held_until timestamptz NOT NULL DEFAULT '-infinity'	-- somebody is at it
) WITH (fillfactor = 50);

-- Takes a walk up, or an earlier one again (not is_new); no row when somebody
-- else is at it.  p_behind_s: leave out what is younger.
CREATE FUNCTION payments.walk_begin(p_name text, p_behind_s integer, p_lease_s integer)
RETURNS TABLE (since bigint, until bigint, after text, is_new boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	w payments.walk;
BEGIN
	INSERT INTO payments.walk (name) VALUES (p_name) ON CONFLICT DO NOTHING;
	SELECT * INTO w FROM payments.walk k WHERE k.name = p_name AND k.held_until <= now()
	   FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	is_new := w.until IS NULL;
	w.until := greatest(w.since, coalesce(w.until, now() - make_interval(secs => p_behind_s)));
	UPDATE payments.walk k SET held_until = now() + make_interval(secs => p_lease_s),
	       until = w.until WHERE k.name = p_name;
	since := floor(extract(epoch FROM w.since));
	until := ceil(extract(epoch FROM w.until));
	after := w.after;
	RETURN NEXT;
END $$;

-- p_after null: the place is lost, begin at the top again.
CREATE FUNCTION payments.walk_pass(p_name text, p_after text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE payments.walk SET after = p_after WHERE name = p_name;
END $$;

CREATE FUNCTION payments.walk_end(p_name text, p_complete boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	IF p_complete THEN
		UPDATE payments.walk SET since = until, until = NULL, after = NULL
		 WHERE name = p_name AND until IS NOT NULL;
	END IF;
	UPDATE payments.walk SET held_until = '-infinity' WHERE name = p_name;
END $$;

-- Of these events, those that have not had their effect.
CREATE FUNCTION payments.events_unseen(p_ids text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY SELECT u.id FROM unnest(p_ids) u (id)
	 WHERE NOT EXISTS (SELECT FROM payments.webhook_event e WHERE e.id = u.id);
END $$;

-- Payments that have been open for p_age_s, after p_order, by order.
CREATE INDEX payment_open ON payments.payment (order_id)
	WHERE status IN ('pending', 'processing', 'failed');
CREATE FUNCTION payments.unsettled(p_age_s integer, p_after bigint, p_limit integer)
RETURNS TABLE (order_id bigint, intent text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY SELECT p.order_id, p.stripe_payment_intent_id FROM payments.payment p
	 WHERE p.status IN ('pending', 'processing', 'failed') AND p.order_id > p_after
	   AND p.created_at < now() - make_interval(secs => p_age_s)
	   AND p.stripe_payment_intent_id IS NOT NULL
	 ORDER BY p.order_id LIMIT p_limit;
END $$;

-- The intents whose books differed, those looked at longest ago first.
CREATE FUNCTION payments.drifted(p_limit integer) RETURNS TABLE (intent text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY WITH looked AS (
		UPDATE payments.drift SET looked_at = now() WHERE id = ANY (ARRAY(
			SELECT d.id FROM payments.drift d WHERE d.kind <> 'event'
			 ORDER BY d.looked_at LIMIT p_limit FOR UPDATE SKIP LOCKED))
		RETURNING stripe_id)
	SELECT DISTINCT stripe_id FROM looked;
END $$;

CREATE FUNCTION payments.drift_count() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN (SELECT count(*) FROM payments.drift);
END $$;

-- What of an intent went back: by our ledger, and what Stripe has accepted.
CREATE FUNCTION payments.refunded_of(p_intent text) RETURNS bigint
LANGUAGE sql STABLE
RETURN (SELECT coalesce(sum(CASE
		WHEN r.status = 'pending' THEN r.amount
		WHEN l.kind = 'refund' THEN l.amount
		WHEN l.kind = 'refund_reversal' THEN -l.amount END), 0)::bigint
	  FROM payments.refund r
	  LEFT JOIN payments.ledger l ON l.stripe_id = r.stripe_refund_id
	   AND l.kind IN ('refund', 'refund_reversal')
	 WHERE r.intent = p_intent AND r.stripe_refund_id IS NOT NULL);

-- Holds an intent of Stripe's, its latest charge in it, against our books, and
-- sets them right where Stripe has done what nobody told us of:
--   'paid', 'retaken', 'refunding', 'noted'   that was applied
--   'agrees'    as we have it
--   'foreign'   not ours
--   'orphan'    could be paid, and is not the one its order is to be paid by
--   'unknown', 'mismatch', 'drift'   for an operator
CREATE FUNCTION payments.intent_judge(p_intent json) RETURNS text
LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
	named CONSTANT text := p_intent ->> 'id';
	stands CONSTANT text := p_intent ->> 'status';
	received CONSTANT bigint := coalesce(payments.whole(p_intent ->> 'amount_received'), 0);
	refunded CONSTANT bigint := coalesce(CASE json_typeof(p_intent -> 'latest_charge') WHEN 'object'
		THEN payments.whole(p_intent -> 'latest_charge' ->> 'amount_refunded') END, 0);
	order_named CONSTANT text := p_intent -> 'metadata' ->> 'order_id';
	for_order bigint;
	p payments.payment;
	s orders.saga;
	captured_here bigint;
	refunded_here bigint;
	result text := 'agrees';
BEGIN
	SELECT order_id INTO for_order FROM payments.payment WHERE stripe_payment_intent_id = named;
	IF for_order IS NULL AND order_named ~ '^[1-9][0-9]{0,17}$' THEN
		SELECT order_id INTO for_order FROM payments.payment
		 WHERE order_id = order_named::bigint AND nonce = p_intent -> 'metadata' ->> 'nonce';
	END IF;
	SELECT * INTO s FROM orders.saga WHERE order_id = for_order AND kind = 'order'
	   FOR NO KEY UPDATE;
	SELECT * INTO p FROM payments.payment WHERE order_id = for_order;
	IF p.id IS NULL THEN
		RETURN CASE WHEN received > refunded AND order_named IS NOT NULL
		    AND payments.misfit_note(p_intent, NULL, 'unknown') THEN 'unknown' ELSE 'foreign' END;
	END IF;

	IF stands = 'succeeded' AND NOT EXISTS (
		SELECT FROM payments.ledger WHERE stripe_id = named AND kind = 'capture') THEN
		result := payments.apply_event('payment_intent.succeeded', for_order, p_intent);
		IF result IN ('mismatch', 'unknown') THEN
			IF received > refunded THEN
				PERFORM payments.misfit_note(p_intent, p, result);
				RETURN 'mismatch';
			END IF;
			RETURN 'agrees';	-- all of it went back
		END IF;
	ELSIF stands = 'canceled' AND named = p.stripe_payment_intent_id AND s.state = 'waiting' THEN
		result := payments.apply_event('payment_intent.canceled', for_order, p_intent);
	ELSIF stands NOT IN ('succeeded', 'canceled') AND named <> p.stripe_payment_intent_id THEN
		RETURN 'orphan';
	ELSIF stands NOT IN ('succeeded', 'canceled') AND p.stripe_payment_intent_id IS NULL
	    AND s.state IN ('done', 'compensated') THEN
		RETURN 'orphan';
	ELSIF stands NOT IN ('succeeded', 'canceled')
	    AND payments.whole(p_intent ->> 'amount') <> p.amount THEN
		PERFORM payments.drift_note('mismatch', named, for_order, p.amount,
			payments.whole(p_intent ->> 'amount'), p.currency, 'It asks for another amount');
		RETURN 'mismatch';
	END IF;

	SELECT coalesce(sum(amount), 0) INTO captured_here FROM payments.ledger
	 WHERE stripe_id = named AND kind = 'capture';
	refunded_here := payments.refunded_of(named);
	IF captured_here <> received THEN
		PERFORM payments.drift_note('captured', named, for_order, captured_here, received,
			p.currency, 'Stripe has captured another amount');
		result := 'drift';
	END IF;
	-- One that is under way is in one of the books first.
	IF refunded_here <> refunded AND NOT EXISTS (
		SELECT FROM orders.saga r WHERE r.order_id = for_order AND r.kind = 'refund'
		   AND r.wake_at IS NOT NULL) THEN
		PERFORM payments.drift_note('refunded', named, for_order, refunded_here, refunded,
			p.currency, 'Stripe has given back another amount');
		result := 'drift';
	END IF;
	RETURN result;
END $$;

CREATE FUNCTION payments.intent_compare(p_intent json) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	result text;
	told text;
BEGIN
	BEGIN
		result := payments.intent_judge(p_intent);
	EXCEPTION
	WHEN transaction_rollback OR unique_violation OR foreign_key_violation
	    OR lock_not_available OR insufficient_resources OR operator_intervention THEN
		RAISE;
	WHEN OTHERS THEN
		-- One that makes trouble must not keep us from the others.
		GET STACKED DIAGNOSTICS told = MESSAGE_TEXT;
		result := 'drift';
		PERFORM payments.drift_note('captured', left(p_intent ->> 'id', 255), NULL, NULL,
			NULL, NULL, left('It could not be compared: ' || told, 500));
	END;
	-- What differs still was noted just now.
	DELETE FROM payments.drift
	 WHERE stripe_id = p_intent ->> 'id' AND kind <> 'event' AND seen_at < now();
	RETURN result;
END $$;

-- Whether the user is an admin now, whatever their token says.
CREATE FUNCTION users.administers(p_user bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN EXISTS (SELECT FROM users.account WHERE id = p_user AND role = 'admin');
END $$;
GRANT EXECUTE ON FUNCTION users.administers(bigint) TO souk_payments;

GRANT SELECT ON payments.dispute, payments.drift TO souk_payments;
GRANT EXECUTE ON FUNCTION payments.dispute_json(payments.dispute),
	payments.drift_json(payments.drift) TO souk_payments;
GRANT EXECUTE ON FUNCTION payments.webhook_ingest(text, text, json, text)
	TO souk_payments, souk_cron;
GRANT EXECUTE ON FUNCTION payments.webhook_again(integer),
	payments.webhook_purge(integer, integer),
	payments.walk_begin(text, integer, integer), payments.walk_pass(text, text),
	payments.walk_end(text, boolean), payments.events_unseen(text[]),
	payments.unsettled(integer, bigint, integer), payments.drifted(integer),
	payments.drift_count(), payments.intent_compare(json) TO souk_cron;
