-- Accounts, sessions and refresh tokens.  Only the auth and users functions
-- can read these tables; others may ask whether a session still lives.

CREATE SCHEMA users;
GRANT USAGE ON SCHEMA users TO souk_users, souk_gateway, souk_catalog,
	souk_orders, souk_payments, souk_cron;

CREATE TABLE users.account (
	id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	email          text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
	password_hash  text NOT NULL,
	first_name     text,
	last_name      text,
	role           text NOT NULL DEFAULT 'customer'
	               CHECK (role IN ('customer', 'seller', 'admin')),
	is_active      boolean NOT NULL DEFAULT true,
	email_verified boolean NOT NULL DEFAULT false,
	created_at     timestamptz NOT NULL DEFAULT now(),
	updated_at     timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX account_email ON users.account (lower(email));

-- One sign-in.  Its access tokens carry the id as "sid" and are refused as
-- soon as it is revoked.
CREATE TABLE users.session (
	id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	user_id    bigint NOT NULL REFERENCES users.account,
	address    text,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	revoked_at timestamptz
) WITH (fillfactor = 85);
CREATE INDEX session_by_user ON users.session (user_id);

-- Only hashes.  A session's tokens form one family: each is spent once, for
-- its successor.
CREATE TABLE users.refresh_token (
	hash       bytea PRIMARY KEY CHECK (length(hash) = 32),
	session_id uuid NOT NULL REFERENCES users.session ON DELETE CASCADE,
	successor  bytea,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	spent_at   timestamptz,
	CHECK ((successor IS NULL) = (spent_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX refresh_token_session ON users.refresh_token (session_id);

-- The wire object `user`: never a hash.
CREATE FUNCTION users.user_json(a users.account) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', a.id, 'email', a.email,
	'first_name', a.first_name, 'last_name', a.last_name, 'role', a.role,
	'is_active', a.is_active, 'email_verified', a.email_verified,
	'created_at', ops.wire_time(a.created_at),
	'updated_at', ops.wire_time(a.updated_at));

CREATE FUNCTION users.session_is_live(p_session uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT EXISTS (
		SELECT FROM users.session s JOIN users.account a ON a.id = s.user_id
		 WHERE s.id = p_session AND s.revoked_at IS NULL
		   AND s.expires_at > now() AND a.is_active);
$$;

CREATE FUNCTION users.session_open(
	p_user bigint, p_hash bytea, p_address text, p_ttl_s integer)
RETURNS uuid LANGUAGE sql AS $$
	WITH opened AS (
		INSERT INTO users.session (user_id, address, expires_at)
		VALUES (p_user, p_address, now() + make_interval(secs => p_ttl_s))
		RETURNING id, expires_at)
	INSERT INTO users.refresh_token (hash, session_id, expires_at)
	SELECT p_hash, id, expires_at FROM opened
	RETURNING session_id;
$$;

-- Spends a refresh token for its successor (which the caller derives from it,
-- so that a lost answer can be given again).  outcome:
--   'rotated'  the successor is valid from now on
--   'repeated' it was spent within p_grace_s seconds and its successor is
--              still unspent: the same successor again
--   'reused'   it was spent before: the whole family is revoked
--   'invalid'  unknown, expired, signed out or deactivated
CREATE FUNCTION users.refresh_rotate(
	p_hash bytea, p_successor bytea, p_ttl_s integer, p_grace_s integer)
RETURNS TABLE (outcome text, session_id uuid, account users.account)
LANGUAGE plpgsql AS $$
DECLARE
	t users.refresh_token;
	s users.session;
	a users.account;
BEGIN
	SELECT r.* INTO t FROM users.refresh_token r WHERE r.hash = p_hash FOR UPDATE;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'invalid', NULL::uuid, NULL::users.account;
		RETURN;
	END IF;
	SELECT x.* INTO s FROM users.session x WHERE x.id = t.session_id FOR UPDATE;
	SELECT x.* INTO a FROM users.account x WHERE x.id = s.user_id;
	IF s.revoked_at IS NOT NULL OR t.expires_at <= now() OR NOT a.is_active THEN
		RETURN QUERY SELECT 'invalid', s.id, NULL::users.account;
		RETURN;
	END IF;
	IF t.spent_at IS NOT NULL THEN
		IF t.spent_at > now() - make_interval(secs => p_grace_s) AND EXISTS (
			SELECT FROM users.refresh_token n
			 WHERE n.hash = t.successor AND n.spent_at IS NULL) THEN
			RETURN QUERY SELECT 'repeated', s.id, a;
			RETURN;
		END IF;
		UPDATE users.session SET revoked_at = now() WHERE id = s.id;
		RETURN QUERY SELECT 'reused', s.id, NULL::users.account;
		RETURN;
	END IF;
	UPDATE users.refresh_token SET spent_at = now(), successor = p_successor
	 WHERE hash = p_hash;
	INSERT INTO users.refresh_token (hash, session_id, expires_at)
	VALUES (p_successor, s.id, now() + make_interval(secs => p_ttl_s));
	UPDATE users.session SET expires_at = now() + make_interval(secs => p_ttl_s)
	 WHERE id = s.id;
	RETURN QUERY SELECT 'rotated', s.id, a;
END $$;

GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA users TO souk_users;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA users TO souk_users;
GRANT EXECUTE ON FUNCTION users.session_is_live(uuid) TO souk_gateway,
	souk_catalog, souk_orders, souk_payments, souk_cron;
