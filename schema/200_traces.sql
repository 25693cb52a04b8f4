-- A job carries the trace of the request that it is done for, as a saga and an
-- event do.  The default comes after the column: see 180.
ALTER TABLE ops.job ADD COLUMN traceparent text;
ALTER TABLE ops.job ALTER COLUMN traceparent
	SET DEFAULT nullif(current_setting('souk.traceparent', true), '');

-- As before, and its trace.
DROP FUNCTION ops.job_claim(text[], integer[], integer, text, integer);
CREATE FUNCTION ops.job_claim(p_kinds text[], p_most integer[], p_limit integer, p_owner text,
	p_lease_s integer)
RETURNS TABLE (id bigint, kind text, payload jsonb, epoch integer, attempt integer,
	created_at timestamptz, late_us bigint, traceparent text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ''
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
	open_kinds text[] := '{}';
	rooms bigint[] := '{}';
	room bigint;
	claimed bigint[];
	due timestamptz[];
BEGIN
	FOR i IN 1 .. cardinality(p_kinds) LOOP
		room := CASE WHEN p_most[i] IS NULL THEN p_limit
			ELSE ops.job_room(p_kinds[i], p_most[i]) END;
		IF room > 0 THEN
			open_kinds := open_kinds || p_kinds[i];
			rooms := rooms || room;
		END IF;
	END LOOP;
	-- One look into the index for each priority: jobs delayed for long, of
	-- which there may be many, are not walked over.
	SELECT array_agg(d.id), array_agg(d.run_at) INTO claimed, due FROM (
		SELECT w.id, w.run_at FROM (
			SELECT j.*, row_number() OVER (PARTITION BY j.kind
				ORDER BY j.priority DESC, j.run_at) AS nth
			  FROM unnest(ARRAY[2, 1, 0, -1, -2]::smallint[]) level
			 CROSS JOIN LATERAL (
				SELECT w.id, w.kind, w.priority, w.run_at FROM ops.job w
				 WHERE w.priority = level AND w.run_at <= now()
				   AND w.kind = ANY (open_kinds)
				 ORDER BY w.run_at LIMIT p_limit
				   FOR NO KEY UPDATE SKIP LOCKED) j) w
		 WHERE w.nth <= rooms[array_position(open_kinds, w.kind)]
		 ORDER BY w.priority DESC, w.run_at LIMIT p_limit) d;
	IF claimed IS NULL THEN
		RETURN;
	END IF;
	UPDATE ops.job j SET state = 'running', epoch = j.epoch + 1,
	       attempt = j.attempt + 1, owner = p_owner,
	       run_at = now() + make_interval(secs => p_lease_s)
	 WHERE j.id = ANY (claimed);
	RETURN QUERY SELECT j.id, j.kind, j.payload, j.epoch, j.attempt, j.created_at,
	       (extract(epoch FROM now() - c.due) * 1000000)::bigint, j.traceparent
	  FROM unnest(claimed, due) WITH ORDINALITY c (id, due, place)
	  JOIN ops.job j ON j.id = c.id
	 WHERE j.id = ANY (claimed) ORDER BY c.place;
END $$;

-- As before, and its trace: nobody asks for that of each event any more.  (A relay
-- of before, which a deploy has yet to reach, does: ops.event_trace() stays.)
DROP FUNCTION ops.event_claim(integer, integer);
CREATE FUNCTION ops.event_claim(p_limit integer, p_lease_s integer)
RETURNS TABLE (id bigint, uuid uuid, type text, subject text, data json, at text,
	age_us bigint, attempt integer, epoch integer, traceparent text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ''
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
	claimed bigint[] := ARRAY(
		SELECT e.id FROM ops.event e WHERE e.due_at <= now()
		 ORDER BY e.due_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED);
BEGIN
	IF cardinality(claimed) > 0 THEN
		RETURN QUERY UPDATE ops.event e SET attempt = e.attempt + 1, epoch = e.epoch + 1,
		       due_at = now() + make_interval(secs => p_lease_s)
		 WHERE e.id = ANY (claimed)
		RETURNING e.id, e.uuid, e.type, e.subject, e.data, ops.wire_time(e.at),
		       (extract(epoch FROM clock_timestamp() - e.at) * 1000000)::bigint,
		       e.attempt, e.epoch, e.traceparent;
	END IF;
END $$;

GRANT EXECUTE ON FUNCTION ops.job_claim(text[], integer[], integer, text, integer),
	ops.event_claim(integer, integer) TO souk_cron;
