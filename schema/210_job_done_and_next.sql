-- The end of a job and the claim of the next one, in one commit: a process that
-- works its way through many jobs writes, and waits for the disk, half as often.
-- held is ops.job_done()'s answer; the rest is null where nothing else is due.
CREATE FUNCTION ops.job_done_and_next(p_job bigint, p_epoch integer, p_kinds text[],
	p_most integer[], p_owner text, p_lease_s integer)
RETURNS TABLE (held boolean, id bigint, kind text, payload jsonb, epoch integer,
	attempt integer, created_at timestamptz, late_us bigint, traceparent text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	-- First, so that its own place is free again.
	held := ops.job_done(p_job, p_epoch);
	RETURN QUERY SELECT held, c.* FROM (VALUES (1)) this
		LEFT JOIN ops.job_claim(p_kinds, p_most, 1, p_owner, p_lease_s) c ON true;
END $$;
GRANT EXECUTE ON FUNCTION ops.job_done_and_next(bigint, integer, text[], integer[], text, integer)
	TO souk_cron;
