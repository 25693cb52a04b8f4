-- The operator's view: what has become of a saga or a job, why it stands
-- still, and the ways on.
--
-- An operator never writes a state: each act locks the saga, looks whether it
-- fits, raises epoch (whoever drove the saga until now is fenced), appends to
-- the timeline and to the audit log, all in one commit.

-- stopped_in: of a saga that is paused or dead, the state it goes on in.
-- tried_since: how long to be patient with Stripe counts from here.  A saga
-- that begins to be undone when it is days old, or is taken up again by an
-- operator, has all of its tries before it.
ALTER TABLE orders.saga
	ADD COLUMN stopped_in text CHECK (stopped_in IN ('running', 'waiting', 'compensating')),
	ADD COLUMN tried_since timestamptz NOT NULL DEFAULT now();
UPDATE orders.saga SET stopped_in = CASE
	WHEN kind = 'order' AND step = 'await_payment' THEN 'waiting'
	WHEN kind = 'order' AND cause IS NOT NULL THEN 'compensating'
	ELSE 'running' END
 WHERE state IN ('paused', 'dead');
CREATE INDEX saga_stopped ON orders.saga (id) WHERE state IN ('paused', 'dead');
CREATE INDEX saga_beside_order ON orders.saga (order_id) WHERE kind <> 'order';
ALTER TABLE orders.saga_event ADD COLUMN actor_id bigint;	-- of an operator's act

-- Whoever stops a saga or begins to undo it.
CREATE FUNCTION orders.saga_turns() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
	IF NEW.state = 'compensating' THEN
		NEW.tried_since := now();
	ELSE
		NEW.stopped_in := OLD.state;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER saga_turns BEFORE UPDATE OF state ON orders.saga FOR EACH ROW
	WHEN (OLD.state IN ('running', 'waiting', 'compensating')
	  AND NEW.state IN ('compensating', 'paused', 'dead') AND NEW.state <> OLD.state)
	EXECUTE FUNCTION orders.saga_turns();

CREATE OR REPLACE VIEW orders.saga_work AS
SELECT s.id, s.order_id, s.kind, s.version, s.state, s.step, s.attempt, s.epoch,
       s.cause, now() >= s.deadline AS past_deadline,
       extract(epoch FROM s.deadline - now())::bigint AS seconds_left,
       extract(epoch FROM now() - s.created_at)::bigint AS age_s,
       s.subject, coalesce(r.amount, p.amount) AS amount,
       coalesce(r.currency, p.currency) AS currency, p.nonce,
       CASE s.kind WHEN 'order' THEN p.key_generation ELSE s.key_generation END AS key_generation,
       coalesce(r.intent, p.stripe_payment_intent_id) AS intent, o.user_id,
       r.stripe_refund_id, r.reason AS refund_reason, r.status AS refund_status,
       extract(epoch FROM now() - s.tried_since)::bigint AS tried_s
  FROM orders.saga s
  JOIN orders.orders o ON o.id = s.order_id
  JOIN payments.payment p ON p.order_id = s.order_id
  LEFT JOIN payments.refund r ON r.id = CASE s.kind WHEN 'refund' THEN s.subject::bigint END;

-- Takes over sagas whose alarm has rung, as before, but only those that the
-- caller can drive: p_known names each step it has as kind/version/step.  What
-- a newer program has begun waits for one, and an older program takes none of
-- it away.
CREATE FUNCTION orders.saga_claim(p_owner text, p_limit integer, p_lease_s integer,
	p_expired boolean, p_known text[])
RETURNS SETOF orders.saga_work
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	claimed bigint[];
BEGIN
	claimed := ARRAY(
		SELECT s.id FROM orders.saga s
		 WHERE s.wake_at <= now()
		   AND (s.state = 'waiting' AND s.deadline <= now()) = p_expired
		   AND s.kind || '/' || s.version || '/' || s.step = ANY (p_known)
		 ORDER BY s.wake_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED);
	UPDATE orders.saga SET epoch = epoch + 1, attempt = attempt + 1,
	       owner = p_owner, wake_at = now() + make_interval(secs => p_lease_s)
	 WHERE id = ANY (claimed);
	RETURN QUERY SELECT * FROM orders.saga_work w WHERE w.id = ANY (claimed) ORDER BY w.id;
END $$;

-- Gives back what was claimed by somebody who cannot drive it.
CREATE FUNCTION orders.saga_give_back(p_saga bigint, p_epoch integer, p_delay_s integer,
	p_why text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE orders.saga SET owner = NULL, last_error = p_why, updated_at = now(),
	       attempt = greatest(attempt - 1, 0),
	       wake_at = now() + make_interval(secs => p_delay_s)
	 WHERE id = p_saga AND epoch = p_epoch AND wake_at IS NOT NULL;
	RETURN CASE WHEN FOUND THEN 'unknown' ELSE 'fenced' END;
END $$;

-- What the next thing to happen to a saga depends on; null when it has ended.
CREATE FUNCTION orders.saga_waits_for(s orders.saga) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
	WHEN s.state IN ('paused', 'dead') THEN 'operator'
	WHEN s.wake_at IS NULL THEN NULL
	WHEN s.wake_at <= now() THEN 'recovery'
	WHEN s.owner IS NOT NULL THEN 'driver'
	WHEN s.state = 'waiting' THEN 'payment'
	ELSE 'retry' END;

-- The state that the next driver finds it in.  A refund begins anew, with
-- whatever Stripe knows of it by then.
CREATE FUNCTION orders.saga_goes_on_in(s orders.saga) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN s.state NOT IN ('paused', 'dead') THEN s.state
	WHEN s.kind = 'refund' THEN 'running'
	ELSE coalesce(s.stopped_in, 'running') END;

-- Is the step one whose effect may be there already, brought about by hand?
-- See orders.operator_skips().
CREATE FUNCTION orders.saga_may_skip(s orders.saga) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT CASE s.kind
	WHEN 'refund' THEN EXISTS (SELECT FROM payments.refund r WHERE r.id::text = s.subject
		AND (r.stripe_refund_id IS NULL OR r.status IN ('failed', 'cancelled')))
	WHEN 'order' THEN s.state IN ('paused', 'dead') AND orders.saga_goes_on_in(s) <> 'running'
		AND EXISTS (SELECT FROM payments.payment p WHERE p.order_id = s.order_id
			AND p.stripe_payment_intent_id IS NOT NULL)
	ELSE false END;
$$;

-- What an operator may do to it.
CREATE FUNCTION orders.saga_acts(s orders.saga) RETURNS text[]
LANGUAGE sql STABLE
RETURN CASE WHEN s.state IN ('done', 'compensated') THEN '{}'::text[] ELSE
	ARRAY['retry']
	|| CASE WHEN s.kind = 'order' AND orders.saga_goes_on_in(s) <> 'compensating'
	        THEN ARRAY['compensate'] ELSE '{}' END
	|| CASE WHEN orders.saga_may_skip(s) THEN ARRAY['skip'] ELSE '{}' END
	END;

-- The wire object `saga`.
CREATE FUNCTION orders.saga_json(s orders.saga) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', s.id, 'order_id', s.order_id, 'kind', s.kind,
	'version', s.version, 'state', s.state, 'step', s.step,
	'waits_for', orders.saga_waits_for(s), 'wakes_at', ops.wire_time(s.wake_at),
	'is_overdue', coalesce(s.wake_at <= now(), false),
	'attempt', s.attempt, 'epoch', s.epoch, 'owner', s.owner,
	'deadline', ops.wire_time(s.deadline), 'cause', s.cause,
	'last_error', s.last_error, 'acts', orders.saga_acts(s),
	'created_at', ops.wire_time(s.created_at), 'updated_at', ops.wire_time(s.updated_at));

-- All that has happened to a saga and its order, in the order it did.
CREATE FUNCTION orders.saga_timeline(p_saga bigint)
RETURNS TABLE (at timestamptz, source text, step text, what text, detail text,
	epoch integer, actor_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
#variable_conflict use_column
DECLARE
	of_order bigint := (SELECT s.order_id FROM orders.saga s WHERE s.id = p_saga);
BEGIN
	RETURN QUERY
	SELECT e.at, 'saga', e.step, e.what, e.detail, e.epoch, e.actor_id
	  FROM orders.saga_event e WHERE e.saga_id = p_saga
	UNION ALL
	SELECT h.created_at, 'order', NULL, h.new_status, h.notes, NULL, h.changed_by
	  FROM orders.history h WHERE h.order_id = of_order
	UNION ALL
	SELECT w.received_at, 'stripe', NULL, w.type, w.outcome, NULL, NULL
	  FROM payments.webhook_event w WHERE w.order_id = of_order
	UNION ALL
	SELECT l.at, 'ledger', NULL, l.kind,
	       format('%s %s, %s', ops.wire_money(l.amount, l.currency), l.currency, l.stripe_id),
	       NULL, NULL
	  FROM payments.ledger l WHERE l.order_id = of_order;
END $$;

-- A saga with everything that bears on it; its timeline from the end, as far
-- back as p_most entries.  Null where there is none.
CREATE FUNCTION orders.saga_view(p_saga bigint, p_most integer) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN (SELECT json_build_object('saga', orders.saga_json(s),
		'order', json_build_object('id', o.id, 'user_id', o.user_id, 'status', o.status,
			'payment_status', o.payment_status, 'currency', o.currency,
			'total_amount', ops.wire_money(o.total_amount, o.currency)),
		'payment', payments.payment_json(p),
		'intent', w.intent, 'amount', ops.wire_money(w.amount, w.currency),
		'other_sagas', (SELECT coalesce(json_agg(orders.saga_json(other) ORDER BY other.id), '[]')
			FROM orders.saga other WHERE other.id <> s.id
			 AND (other.kind = 'order' AND other.order_id = s.order_id
			   OR other.kind <> 'order' AND other.order_id = s.order_id)),
		'timeline', coalesce((SELECT json_agg(json_build_object('at', ops.wire_time(t.at),
				'source', t.source, 'step', t.step, 'what', t.what, 'detail', t.detail,
				'epoch', t.epoch, 'actor_id', t.actor_id) ORDER BY t.place DESC)
			FROM (SELECT l.*, row_number() OVER (ORDER BY l.at DESC, l.source, l.epoch DESC) AS place
			        FROM orders.saga_timeline(s.id) l) t
		       WHERE t.place <= p_most), '[]'),
		'timeline_total', (SELECT count(*) FROM orders.saga_timeline(s.id)))
	  FROM orders.saga s JOIN orders.saga_work w ON w.id = s.id
	  JOIN orders.orders o ON o.id = s.order_id
	  JOIN payments.payment p ON p.order_id = s.order_id
	 WHERE s.id = p_saga);
END $$;

-- The saga that an operator acts on, locked; refuses what does not fit.
CREATE FUNCTION orders.operator_takes(p_saga bigint, p_act text, p_by ops.caller,
	p_key text, p_fingerprint text)
RETURNS orders.saga LANGUAGE plpgsql AS $$
DECLARE
	s orders.saga;
BEGIN
	PERFORM payments.lock(order_id) FROM orders.saga WHERE id = p_saga;
	SELECT * INTO s FROM orders.saga WHERE id = p_saga FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'not_found' USING ERRCODE = 'SK000';
	END IF;
	-- Before anything else is looked at: the same request again is no new act.
	IF p_key IS NOT NULL THEN
		PERFORM ops.idempotency_begin(p_by.actor, p_key, p_fingerprint,
			format('saga:%s:%s', s.id, s.epoch + 1));
	END IF;
	IF s.state IN ('done', 'compensated') THEN
		RAISE EXCEPTION 'saga_finished' USING ERRCODE = 'SK000';
	ELSIF p_act <> ALL (orders.saga_acts(s)) THEN
		RAISE EXCEPTION '%', CASE p_act WHEN 'skip' THEN 'step_not_skippable'
			ELSE 'saga_not_compensable' END USING ERRCODE = 'SK000';
	END IF;
	RETURN s;
END $$;

-- Where the operator's act leads: the saga is the caller's for p_lease_s.
CREATE FUNCTION orders.operator_leads(s orders.saga, p_act text, p_state text, p_step text,
	p_reason text, p_by ops.caller, p_owner text, p_lease_s integer)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO orders.saga_event (saga_id, seq, epoch, step, what, detail, actor_id)
	VALUES (s.id, s.seq + 1, s.epoch + 1, s.step, 'operator', p_act || ': ' || p_reason, p_by.actor);
	UPDATE orders.saga SET state = p_state, step = p_step, stopped_in = NULL, attempt = 1,
	       seq = seq + 1, epoch = epoch + 1, owner = p_owner, tried_since = now(),
	       wake_at = now() + make_interval(secs => p_lease_s), updated_at = now()
	 WHERE id = s.id;
	PERFORM ops.audit_add(p_by, 'saga.' || p_act, 'saga:' || s.id,
		json_build_object('state', s.state, 'step', s.step, 'epoch', s.epoch),
		json_build_object('state', p_state, 'step', p_step, 'epoch', s.epoch + 1,
			'reason', p_reason));
END $$;

-- Takes the saga up where it stands, or stopped, whoever is at work on it.
CREATE FUNCTION orders.operator_retries(p_saga bigint, p_reason text, p_by ops.caller,
	p_owner text, p_lease_s integer, p_key text, p_fingerprint text)
RETURNS SETOF orders.saga_work
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga := orders.operator_takes(p_saga, 'retry', p_by, p_key, p_fingerprint);
BEGIN
	PERFORM orders.operator_leads(s, 'retry', orders.saga_goes_on_in(s),
		CASE WHEN s.kind = 'refund' AND s.state IN ('paused', 'dead') THEN 'refund_payment'
		ELSE s.step END, p_reason, p_by, p_owner, p_lease_s);
	RETURN QUERY SELECT * FROM orders.saga_work w WHERE w.id = p_saga;
END $$;

-- Begins to undo an order.  From here on it ends cancelled, and if its money
-- was faster, that goes back.  What is told to the buyer is that it was the
-- shop; the reason stays with operators.
CREATE FUNCTION orders.operator_compensates(p_saga bigint, p_reason text, p_by ops.caller,
	p_owner text, p_lease_s integer, p_key text, p_fingerprint text)
RETURNS SETOF orders.saga_work
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga := orders.operator_takes(p_saga, 'compensate', p_by, p_key, p_fingerprint);
	told CONSTANT text := 'Cancelled by the shop';
BEGIN
	PERFORM orders.operator_leads(s, 'compensate', 'compensating', 'create_intent',
		p_reason, p_by, p_owner, p_lease_s);
	UPDATE orders.saga SET cause = told WHERE id = p_saga;
	UPDATE orders.orders SET cancel_by = p_by.actor, cancel_reason = told, updated_at = now()
	 WHERE id = s.order_id AND cancel_by IS NULL;
	RETURN QUERY SELECT * FROM orders.saga_work w WHERE w.id = p_saga;
END $$;

-- Whoever asks Stripe about a step to be skipped asks about this intent, which
-- is a refund's or that of an order; none where nothing is to be skipped.
CREATE FUNCTION orders.operator_may_skip(p_saga bigint)
RETURNS TABLE (intent text, is_refund boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT w.intent, s.kind = 'refund'
	  FROM orders.saga s JOIN orders.saga_work w ON w.id = s.id
	 WHERE s.id = p_saga AND 'skip' = ANY (orders.saga_acts(s));
$$;

-- The refund that was made by hand in the place of this one.
ALTER TABLE payments.refund ADD COLUMN made_by_hand bigint UNIQUE REFERENCES payments.refund;

-- The saga is running, and its caller's.  False: this is not its refund.
CREATE FUNCTION orders.take_refund(s orders.saga, p_refund text, p_intent text, p_amount bigint,
	p_currency text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	r payments.refund;
	by_hand payments.refund;
BEGIN
	SELECT * INTO r FROM payments.refund WHERE id = s.subject::bigint FOR NO KEY UPDATE;
	IF (p_intent = r.intent AND p_amount = r.amount AND p_currency = r.currency) IS NOT TRUE
	   OR orders.refund_seen_v1(p_intent, p_refund, p_amount, p_currency, 'succeeded',
		NULL, s.subject, NULL) <> 'refund_succeeded' THEN
		RETURN false;
	END IF;
	SELECT * INTO by_hand FROM payments.refund WHERE stripe_refund_id = p_refund;
	IF by_hand.id <> r.id THEN
		-- It had been told of before, or this one has failed before.
		IF EXISTS (SELECT FROM payments.refund WHERE made_by_hand = by_hand.id)
		   OR EXISTS (SELECT FROM orders.saga WHERE order_id = s.order_id
			AND kind = 'refund' AND subject = by_hand.id::text) THEN
			RETURN false;
		END IF;
		UPDATE payments.refund SET made_by_hand = by_hand.id, updated_at = now(),
		       status = CASE status WHEN 'pending' THEN 'cancelled' ELSE status END,
		       failure_reason = coalesce(failure_reason, 'Made by hand: ' || p_refund)
		 WHERE id = r.id;
		SELECT * INTO s FROM orders.saga WHERE id = s.id AND state = 'running';
		IF FOUND THEN
			PERFORM orders.saga_note(s, 1, 'refund_payment', 'done', p_refund);
			UPDATE orders.saga SET state = 'done', seq = seq + 1, epoch = epoch + 1,
			       owner = NULL, wake_at = NULL, updated_at = now()
			 WHERE id = s.id;
		END IF;
	END IF;
	RETURN true;
END $$;

-- A step is skipped only where its effect is there already, made by hand at
-- Stripe; the caller has asked Stripe, and passes on what it says of that
-- refund.  There are two:
--
--   refund_payment   the refund that the saga was to make, which Stripe has not
--                    been heard to make, or has failed to
--   await_payment and the cancelling of an intent, of a saga that has stopped
--                    since what was paid does not fit the order: all of it was
--                    given back.  Both movements are recorded, the order is
--                    cancelled, and its stock comes back
--
-- p_received: all that was paid with the intent.
CREATE FUNCTION orders.operator_skips(p_saga bigint, p_reason text, p_by ops.caller,
	p_refund text, p_intent text, p_amount bigint, p_currency text, p_received bigint,
	p_key text, p_fingerprint text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	s orders.saga := orders.operator_takes(p_saga, 'skip', p_by, p_key, p_fingerprint);
	lease CONSTANT integer := 60;		-- of no use beyond this transaction
	reason CONSTANT text := format('%s (%s)', p_reason, p_refund);
	fits boolean;
BEGIN
	IF s.kind = 'refund' THEN
		PERFORM orders.operator_leads(s, 'skip', 'running', 'refund_payment', reason, p_by,
			NULL, lease);
		SELECT * INTO s FROM orders.saga WHERE id = p_saga;
		fits := orders.take_refund(s, p_refund, p_intent, p_amount, p_currency);
	ELSE
		SELECT p_amount = p_received AND p_intent = p.stripe_payment_intent_id
		   AND NOT EXISTS (SELECT FROM payments.refund WHERE stripe_refund_id = p_refund)
		  INTO fits FROM payments.payment p WHERE p.order_id = s.order_id;
	END IF;
	IF fits IS NOT TRUE THEN
		RAISE EXCEPTION 'refund_does_not_fit' USING ERRCODE = 'SK000';
	ELSIF s.kind = 'refund' THEN
		RETURN 'refund_succeeded';
	END IF;
	PERFORM orders.operator_leads(s, 'skip', 'compensating', 'create_intent', reason, p_by,
		NULL, lease);
	UPDATE orders.saga SET cause = 'The payment did not fit the order and was given back'
	 WHERE id = s.id;
	PERFORM payments.ledger_post(s.order_id, 'capture', p_intent, p_amount, p_currency);
	PERFORM payments.ledger_post(s.order_id, 'refund', p_refund, p_amount, p_currency);
	INSERT INTO payments.refund (order_id, intent, stripe_refund_id, amount, currency, status,
		requested_by)
	VALUES (s.order_id, p_intent, p_refund, p_amount, p_currency, 'succeeded', p_by.actor);
	-- Told of before it could be known what it is about.
	UPDATE payments.webhook_event SET outcome = 'refund_succeeded'
	 WHERE order_id = s.order_id AND outcome = 'early' AND object_id = p_refund;
	-- It was money with the order's name on it, and never the order's payment.
	UPDATE payments.payment SET stripe_payment_intent_id = NULL, client_secret = NULL
	 WHERE order_id = s.order_id;
	RETURN orders.saga_compensated_v1(s.id, s.epoch + 1, NULL);
END $$;

-- How many sagas stand where, and how long the alarm that has rung first is
-- overdue, in seconds; of those that have not ended.
CREATE FUNCTION orders.saga_census()
RETURNS TABLE (kind text, state text, step text, sagas bigint, overdue_s bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY SELECT s.kind, s.state, s.step, count(*),
	       coalesce(max(greatest(extract(epoch FROM now() - s.wake_at), 0)), 0)::bigint
	  FROM orders.saga s
	 WHERE s.wake_at IS NOT NULL OR s.state IN ('paused', 'dead')
	 GROUP BY 1, 2, 3;
END $$;

GRANT EXECUTE ON FUNCTION orders.saga_json(orders.saga), orders.saga_waits_for(orders.saga),
	orders.saga_may_skip(orders.saga),
	orders.saga_goes_on_in(orders.saga),
	orders.saga_acts(orders.saga), orders.saga_view(bigint, integer),
	orders.operator_may_skip(bigint),
	orders.operator_retries(bigint, text, ops.caller, text, integer, text, text),
	orders.operator_compensates(bigint, text, ops.caller, text, integer, text, text),
	orders.operator_skips(bigint, text, ops.caller, text, text, bigint, text, bigint, text, text)
	TO souk_orders;
GRANT EXECUTE ON FUNCTION orders.saga_give_back(bigint, integer, integer, text)
	TO souk_orders, souk_payments, souk_cron;
GRANT EXECUTE ON FUNCTION orders.saga_claim(text, integer, integer, boolean, text[]),
	orders.saga_census() TO souk_cron;

-- Jobs.  cancelled: an operator has given it up; like one that is done it has
-- no payload any more, and goes after a while.
ALTER TABLE ops.job
	DROP CONSTRAINT job_state_check,
	DROP CONSTRAINT ended_has_time,
	DROP CONSTRAINT done_has_no_payload,
	ADD CONSTRAINT job_state_check
		CHECK (state IN ('waiting', 'running', 'done', 'dead', 'cancelled')),
	ADD CONSTRAINT ended_has_time CHECK (
		(state IN ('done', 'dead', 'cancelled')) = (finished_at IS NOT NULL)),
	ADD CONSTRAINT ended_has_no_payload CHECK (
		state NOT IN ('done', 'cancelled') OR payload IS NULL);
DROP INDEX ops.job_done_age;
CREATE INDEX job_ended_age ON ops.job (finished_at) WHERE state IN ('done', 'cancelled');

CREATE OR REPLACE FUNCTION ops.job_purge(p_age_s integer, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	purged bigint;
BEGIN
	DELETE FROM ops.job WHERE id = ANY (ARRAY(
		SELECT j.id FROM ops.job j
		 WHERE j.state IN ('done', 'cancelled')
		   AND j.finished_at < now() - make_interval(secs => p_age_s)
		 ORDER BY j.finished_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
	GET DIAGNOSTICS purged = ROW_COUNT;
	RETURN purged;
END $$;

-- p, but for what no operator need see.
CREATE FUNCTION ops.redacted(p jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN CASE jsonb_typeof(p)
	WHEN 'object' THEN (
		SELECT coalesce(jsonb_object_agg(m.key, CASE
			WHEN m.key ~* 'token|secret|password|authorization|signature|cookie|api[_-]?key|(^|_)(key|hash|pin|cvc)$'
			THEN '"[redacted]"' ELSE ops.redacted(m.value) END), '{}')
		  FROM jsonb_each(p) m)
	WHEN 'array' THEN (
		SELECT coalesce(jsonb_agg(ops.redacted(e.value) ORDER BY e.place), '[]')
		  FROM jsonb_array_elements(p) WITH ORDINALITY e (value, place))
	ELSE p END;
END $$;

CREATE FUNCTION ops.job_acts(j ops.job) RETURNS text[]
LANGUAGE sql STABLE
RETURN CASE
	WHEN j.state IN ('done', 'cancelled') THEN '{}'::text[]
	WHEN j.state = 'running' AND j.run_at > now() THEN '{}'
	ELSE ARRAY['retry', 'cancel'] END;

-- The wire object `job`.
CREATE FUNCTION ops.job_json(j ops.job) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', j.id, 'kind', j.kind, 'state', j.state,
	'priority', j.priority, 'dedupe', j.dedupe, 'attempt', j.attempt, 'epoch', j.epoch,
	'owner', j.owner, 'runs_at', ops.wire_time(j.run_at),
	'is_overdue', coalesce(j.run_at <= now(), false), 'last_error', j.last_error,
	'acts', ops.job_acts(j), 'created_at', ops.wire_time(j.created_at),
	'finished_at', ops.wire_time(j.finished_at));

CREATE FUNCTION ops.job_for_audit(j ops.job) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('kind', j.kind, 'state', j.state, 'attempt', j.attempt);

-- The job that an operator acts on, locked; refuses one whose process may be
-- at work, and one that has ended.
CREATE FUNCTION ops.operator_takes_job(p_job bigint) RETURNS ops.job LANGUAGE plpgsql AS $$
DECLARE
	j ops.job;
BEGIN
	SELECT * INTO j FROM ops.job WHERE id = p_job FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'not_found' USING ERRCODE = 'SK000';
	ELSIF ops.job_acts(j) = '{}' THEN
		RAISE EXCEPTION '%', CASE j.state WHEN 'running' THEN 'job_running'
			ELSE 'job_finished' END USING ERRCODE = 'SK000';
	END IF;
	RETURN j;
END $$;

-- Now, and with all its tries before it.  The job as it is, and for the audit
-- log, which names nobody, what it was and is.
CREATE FUNCTION ops.operator_retries_job(p_job bigint)
RETURNS TABLE (job json, before json, after json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	j ops.job := ops.operator_takes_job(p_job);
BEGIN
	before := ops.job_for_audit(j);
	UPDATE ops.job AS it SET state = 'waiting', run_at = now(), attempt = 0,
	       epoch = it.epoch + 1, owner = NULL, finished_at = NULL
	 WHERE id = p_job RETURNING * INTO j;
	job := ops.job_json(j);
	after := ops.job_for_audit(j);
	RETURN NEXT;
END $$;

CREATE FUNCTION ops.operator_cancels_job(p_job bigint)
RETURNS TABLE (job json, before json, after json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	j ops.job := ops.operator_takes_job(p_job);
BEGIN
	before := ops.job_for_audit(j);
	UPDATE ops.job AS it SET state = 'cancelled', run_at = NULL, epoch = it.epoch + 1,
	       owner = NULL, finished_at = now(), payload = NULL
	 WHERE id = p_job RETURNING * INTO j;
	job := ops.job_json(j);
	after := ops.job_for_audit(j);
	RETURN NEXT;
END $$;

-- All dead ones of a kind, the oldest first, up to p_limit: how many.
CREATE FUNCTION ops.operator_requeues_jobs(p_kind text, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	requeued bigint;
BEGIN
	UPDATE ops.job SET state = 'waiting', run_at = now(), attempt = 0, epoch = epoch + 1,
	       finished_at = NULL
	 WHERE id = ANY (ARRAY(
		SELECT j.id FROM ops.job j WHERE j.state = 'dead' AND j.kind = p_kind
		 ORDER BY j.id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED));
	GET DIAGNOSTICS requeued = ROW_COUNT;
	RETURN requeued;
END $$;

-- Of those that have not ended.
CREATE FUNCTION ops.job_census()
RETURNS TABLE (kind text, state text, jobs bigint, overdue_s bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY SELECT j.kind, j.state, count(*),
	       coalesce(max(greatest(extract(epoch FROM now() - j.run_at), 0)), 0)::bigint
	  FROM ops.job j WHERE j.run_at IS NOT NULL OR j.state = 'dead'
	 GROUP BY 1, 2;
END $$;

-- The functions of ops are nobody else's context: they log in as themselves.
GRANT USAGE ON SCHEMA ops, users TO souk_ops;
GRANT SELECT ON ops.job TO souk_ops;
GRANT EXECUTE ON FUNCTION users.session_is_live(uuid, bigint, text),
	ops.audit_add(ops.caller, text, text, json, json),
	ops.idempotency_begin(bigint, text, text, text),
	ops.idempotency_keep(bigint, text, smallint, text, text),
	ops.idempotency_recall(bigint, text, text, integer),
	ops.wire_time(timestamptz), ops.redacted(jsonb), ops.job_acts(ops.job),
	ops.job_json(ops.job), ops.operator_retries_job(bigint),
	ops.operator_cancels_job(bigint), ops.operator_requeues_jobs(text, integer)
	TO souk_ops;
GRANT EXECUTE ON FUNCTION ops.job_census() TO souk_cron;
