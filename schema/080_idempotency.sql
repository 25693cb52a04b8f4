-- An Idempotency-Key gives the whole answer again, headers included, and one
-- answer only, whoever made it first.

-- The answer's type and its endpoint's own headers, "Name: value" a line.
ALTER TABLE ops.idempotency ADD COLUMN headers text;

-- Keeps the answer; false where one was kept before, and that one stands.
CREATE FUNCTION ops.idempotency_keep(
	p_user bigint, p_key text, p_status smallint, p_headers text, p_body text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE ops.idempotency SET status = p_status, headers = p_headers, body = p_body
	 WHERE user_id = p_user AND key = p_key AND status IS NULL;
	RETURN FOUND;
END $$;

-- What is kept under a key; no row when it is free.  outcome: 'replay' the
-- kept answer; 'mismatch' another request used the key; 'running' its answer
-- is still being made; 'resume' whoever was making it has died (it had
-- p_patience_s seconds), and the caller, alone, carries on from reference.
CREATE FUNCTION ops.idempotency_recall(
	p_user bigint, p_key text, p_fingerprint text, p_patience_s integer)
RETURNS TABLE (outcome text, status smallint, headers text, body text, reference text)
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	WITH resumed AS (
		UPDATE ops.idempotency SET created_at = now()
		 WHERE user_id = p_user AND key = p_key AND fingerprint = p_fingerprint
		   AND idempotency.status IS NULL
		   AND created_at <= now() - make_interval(secs => p_patience_s)
		   AND created_at >= now() - interval '24 hours'
		RETURNING true)
	SELECT CASE
		WHEN k.fingerprint <> p_fingerprint THEN 'mismatch'
		WHEN k.status IS NOT NULL THEN 'replay'
		WHEN EXISTS (SELECT FROM resumed) THEN 'resume'
		ELSE 'running' END, k.status, k.headers, k.body, k.reference
	  FROM ops.idempotency k
	 WHERE k.user_id = p_user AND k.key = p_key
	   AND k.created_at >= now() - interval '24 hours';
$$;

DROP FUNCTION ops.idempotency_end(bigint, text, smallint, text);
DROP FUNCTION ops.idempotency_find(bigint, text, text, integer);

GRANT EXECUTE ON FUNCTION
	ops.idempotency_keep(bigint, text, smallint, text, text),
	ops.idempotency_recall(bigint, text, text, integer)
	TO souk_gateway, souk_users, souk_catalog, souk_orders, souk_payments, souk_cron;
