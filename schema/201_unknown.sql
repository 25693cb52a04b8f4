-- What a newer program has begun waits for one: an older one, that a deploy has yet
-- to reach or has come back to, takes none of it, and is not kept awake by it
-- either.  It counts it instead.
--
-- What nobody takes is the longest due before long, so that the first few of those
-- that are due tell: the count is none of all there are.
-- (Programs of before call ops.job_clock() and orders.saga_next_ms().)

-- As before, for these kinds; and how many of others are due.
CREATE FUNCTION ops.job_clock(p_kinds text[])
RETURNS TABLE (oldest_due_ms bigint, next_due_ms bigint, unknown bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ''
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
	RETURN QUERY SELECT (greatest(0, extract(epoch FROM now() - min(f.run_at))) * 1000)::bigint,
	       CASE WHEN min(n.run_at) IS NOT NULL THEN
	       (greatest(0, extract(epoch FROM min(n.run_at) - now())) * 1000)::bigint END,
	       sum(u.unknown)::bigint
	  FROM unnest(ARRAY[2, 1, 0, -1, -2]::smallint[]) level
	 CROSS JOIN LATERAL (
		SELECT count(*) FILTER (WHERE d.kind <> ALL (p_kinds)) AS unknown
		  FROM (SELECT w.kind FROM ops.job w
		         WHERE w.priority = level AND w.run_at <= now()
		         ORDER BY w.run_at LIMIT 100) d) u
	  LEFT JOIN LATERAL (
		SELECT w.run_at FROM ops.job w
		 WHERE w.priority = level AND w.run_at IS NOT NULL
		 ORDER BY w.run_at LIMIT 1) f ON true
	  LEFT JOIN LATERAL (
		SELECT w.run_at FROM ops.job w
		 WHERE w.priority = level AND w.run_at IS NOT NULL AND w.kind = ANY (p_kinds)
		 ORDER BY w.run_at LIMIT 1) n ON true;
END $$;

-- In how many milliseconds the next alarm of a step of these rings, null: there is
-- none; and how many of other steps have rung.
CREATE FUNCTION orders.saga_clock(p_known text[])
RETURNS TABLE (next_ms bigint, unknown bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ''
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
	RETURN QUERY SELECT (
		SELECT greatest(0, extract(epoch FROM s.wake_at - now()) * 1000)::bigint
		  FROM orders.saga s
		 WHERE s.wake_at IS NOT NULL
		   AND s.kind || '/' || s.version || '/' || s.step = ANY (p_known)
		 ORDER BY s.wake_at LIMIT 1),
		count(*) FILTER (WHERE r.step <> ALL (p_known))
	  FROM (SELECT s.kind || '/' || s.version || '/' || s.step AS step FROM orders.saga s
	         WHERE s.wake_at <= now() ORDER BY s.wake_at LIMIT 100) r;
END $$;

GRANT EXECUTE ON FUNCTION ops.job_clock(text[]), orders.saga_clock(text[]) TO souk_cron;
