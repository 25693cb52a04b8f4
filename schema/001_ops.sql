-- What every context may use: the wire format of money and time, and the
-- idempotency keys of requests.

REVOKE ALL ON SCHEMA public FROM PUBLIC;
-- A function is callable by whom it is granted to, and nobody else.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE SCHEMA ops;
GRANT USAGE ON SCHEMA ops TO souk_gateway, souk_users, souk_catalog,
	souk_orders, souk_payments, souk_cron;

-- Digits after the point, from ISO 4217 as Stripe counts them.
CREATE FUNCTION ops.currency_digits(currency text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
	WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW',
		'MGA', 'PYG', 'RWF', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
	WHEN currency IN ('BHD', 'JOD', 'KWD', 'OMR', 'TND') THEN 3
	ELSE 2 END;

-- 199999 in USD is "1999.99", in JPY "199999".
CREATE FUNCTION ops.wire_money(minor bigint, currency text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE ops.currency_digits(currency)
	WHEN 0 THEN minor::text
	WHEN 3 THEN (minor * 0.001)::text
	ELSE (minor * 0.01)::text END;

CREATE FUNCTION ops.wire_time(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- One row per Idempotency-Key, written in the transaction of the effect it
-- protects: a concurrent twin waits on the primary key until that commits.
-- user_id 0 is a caller who is not signed in.  status is null while the
-- effect is committed but its answer is not yet known (the order saga calls
-- Stripe in between); reference then names the effect.
CREATE TABLE ops.idempotency (
	user_id     bigint NOT NULL,
	key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
	fingerprint text NOT NULL,
	reference   text,
	status      smallint,
	body        text,
	created_at  timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (user_id, key)
) WITH (fillfactor = 70);
CREATE INDEX idempotency_age ON ops.idempotency (created_at);

-- Claims a key for this transaction.  A key already taken raises SK001; the
-- caller rolls back and asks idempotency_find().  Keys live 24 hours.
CREATE FUNCTION ops.idempotency_begin(
	p_user bigint, p_key text, p_fingerprint text, p_reference text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	INSERT INTO ops.idempotency AS k (user_id, key, fingerprint, reference)
	VALUES (p_user, p_key, p_fingerprint, p_reference)
	ON CONFLICT (user_id, key) DO UPDATE
	   SET fingerprint = excluded.fingerprint, reference = excluded.reference,
	       status = NULL, body = NULL, created_at = now()
	 WHERE k.created_at < now() - interval '24 hours';
	IF NOT FOUND THEN
		RAISE EXCEPTION 'idempotency key taken' USING ERRCODE = 'SK001';
	END IF;
END $$;

CREATE FUNCTION ops.idempotency_end(
	p_user bigint, p_key text, p_status smallint, p_body text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	UPDATE ops.idempotency SET status = p_status, body = p_body
	 WHERE user_id = p_user AND key = p_key;
$$;

-- outcome: 'replay' the stored answer; 'mismatch' another request used the
-- key; 'running' its answer is still being made; 'resume' whoever was making
-- it has died (it had p_patience_s seconds), carry on from reference.
CREATE FUNCTION ops.idempotency_find(
	p_user bigint, p_key text, p_fingerprint text, p_patience_s integer)
RETURNS TABLE (outcome text, status smallint, body text, reference text)
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	SELECT CASE
		WHEN k.fingerprint <> p_fingerprint THEN 'mismatch'
		WHEN k.status IS NOT NULL THEN 'replay'
		WHEN k.created_at > now() - make_interval(secs => p_patience_s) THEN 'running'
		ELSE 'resume' END, k.status, k.body, k.reference
	  FROM ops.idempotency k
	 WHERE k.user_id = p_user AND k.key = p_key;
$$;

GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ops TO souk_gateway, souk_users,
	souk_catalog, souk_orders, souk_payments, souk_cron;
