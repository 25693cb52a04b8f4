-- The operator's view of the outbox: what was not taken by the sink, and the
-- ways on, as for jobs (schema/130_operator.sql).

-- Of the events about one subject only the first that is not sent can be sent
-- or given up.  Sending one again that a relay is at work on may send it twice,
-- under one id, which a sink has to expect at any time.
CREATE FUNCTION ops.event_acts(e ops.event) RETURNS text[]
LANGUAGE sql STABLE
RETURN CASE WHEN e.state = 'dead' OR (e.state = 'waiting' AND e.due_at IS NOT NULL)
	THEN ARRAY['retry', 'drop'] ELSE '{}'::text[] END;

-- The wire object `event`.
CREATE FUNCTION ops.event_json(e ops.event) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', e.id, 'event_id', e.uuid, 'type', e.type,
	'subject', e.subject, 'state', e.state, 'attempt', e.attempt, 'epoch', e.epoch,
	'sends_at', ops.wire_time(e.due_at), 'is_overdue', coalesce(e.due_at <= now(), false),
	'last_error', e.last_error, 'acts', ops.event_acts(e),
	'happened_at', ops.wire_time(e.at), 'ended_at', ops.wire_time(e.ended_at));

CREATE FUNCTION ops.event_for_audit(e ops.event) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('type', e.type, 'subject', e.subject, 'state', e.state,
	'attempt', e.attempt);

-- The event that an operator acts on, locked; refuses one that has ended, and
-- one that waits for another.
CREATE FUNCTION ops.operator_takes_event(p_event bigint) RETURNS ops.event
LANGUAGE plpgsql AS $$
DECLARE
	e ops.event;
BEGIN
	SELECT * INTO e FROM ops.event WHERE id = p_event FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'not_found' USING ERRCODE = 'SK000';
	ELSIF ops.event_acts(e) = '{}' THEN
		RAISE EXCEPTION '%', CASE e.state WHEN 'waiting' THEN 'event_not_first'
			ELSE 'event_finished' END USING ERRCODE = 'SK000';
	END IF;
	RETURN e;
END $$;

-- Has those events sent, with all their tries before them: of each subject the
-- first that waits is due, and no other.  Later ones than a dead event may have
-- left long ago.
CREATE FUNCTION ops.events_wait(p_events bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	-- Locked in one order, whoever else is at it.
	these CONSTANT bigint[] := ARRAY(
		SELECT e.id FROM ops.event e
		 WHERE e.state <> 'sent' AND (e.state = 'waiting' OR e.id = ANY (p_events))
		   AND e.subject IN (SELECT f.subject FROM ops.event f WHERE f.id = ANY (p_events))
		 ORDER BY e.id FOR NO KEY UPDATE);
BEGIN
	UPDATE ops.event SET state = 'waiting', due_at = NULL, ended_at = NULL, attempt = 0,
	       epoch = epoch + 1
	 WHERE id = ANY (p_events);
	UPDATE ops.event e SET due_at = CASE WHEN e.id = (
		SELECT min(f.id) FROM ops.event f
		 WHERE f.subject = e.subject AND f.state <> 'sent' AND f.state = 'waiting') THEN now() END
	 WHERE e.id = ANY (these) AND e.state = 'waiting';
	PERFORM ops.wake('events');
END $$;

-- The event as it is, and for the audit log what it was and is.
CREATE FUNCTION ops.operator_retries_event(p_event bigint)
RETURNS TABLE (event json, before json, after json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	e ops.event := ops.operator_takes_event(p_event);
BEGIN
	before := ops.event_for_audit(e);
	PERFORM ops.events_wait(ARRAY[p_event]);
	SELECT * INTO e FROM ops.event WHERE id = p_event;
	event := ops.event_json(e);
	after := ops.event_for_audit(e);
	RETURN NEXT;
END $$;

-- It is sent no more, and those behind it go on.
CREATE FUNCTION ops.operator_drops_event(p_event bigint)
RETURNS TABLE (event json, before json, after json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	e ops.event := ops.operator_takes_event(p_event);
BEGIN
	before := ops.event_for_audit(e);
	IF e.state = 'waiting' THEN
		PERFORM ops.event_end(p_event, e.epoch, 'dropped', e.last_error);
		PERFORM ops.wake('events');
	END IF;
	UPDATE ops.event AS it SET state = 'dropped', epoch = it.epoch + 1, ended_at = now()
	 WHERE id = p_event RETURNING * INTO e;
	event := ops.event_json(e);
	after := ops.event_for_audit(e);
	RETURN NEXT;
END $$;

-- All dead ones, or those of a type, the oldest first, up to p_limit: how many.
CREATE FUNCTION ops.operator_requeues_events(p_type text, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	dead CONSTANT bigint[] := ARRAY(
		SELECT e.id FROM ops.event e
		 WHERE e.state = 'dead' AND (p_type IS NULL OR e.type = p_type)
		 ORDER BY e.id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED);
BEGIN
	PERFORM ops.events_wait(dead);
	RETURN cardinality(dead);
END $$;

CREATE INDEX event_dead ON ops.event (id) WHERE state = 'dead';

GRANT SELECT ON ops.event TO souk_ops;
GRANT EXECUTE ON FUNCTION ops.event_acts(ops.event), ops.event_json(ops.event),
	ops.operator_retries_event(bigint), ops.operator_drops_event(bigint),
	ops.operator_requeues_events(text, integer) TO souk_ops;
