-- However often it is refreshed, a session ends 90 days after its sign-in (OWASP
-- ASVS 7.3.2): a token that was stolen without anybody noticing does too.

-- Spends a refresh token for its successor (which the caller derives from it,
-- so that a lost answer can be given again).  outcome:
--   'rotated'  the successor is valid from now on
--   'repeated' it was spent within p_grace_s seconds and its successor is
--              still unspent: the same successor again
--   'reused'   it was spent before: the whole family is revoked
--   'invalid'  unknown, expired, signed out or deactivated, or of a session
--              that began 90 days ago
CREATE OR REPLACE FUNCTION users.refresh_rotate(
	p_hash bytea, p_successor bytea, p_ttl_s integer, p_grace_s integer)
RETURNS TABLE (outcome text, session_id uuid, account users.account)
LANGUAGE plpgsql AS $$
DECLARE
	t users.refresh_token;
	s users.session;
	a users.account;
	ends timestamptz;
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
	ends := least(now() + make_interval(secs => p_ttl_s), s.created_at + interval '90 days');
	UPDATE users.refresh_token SET spent_at = now(), successor = p_successor
	 WHERE hash = p_hash;
	INSERT INTO users.refresh_token (hash, session_id, expires_at)
	VALUES (p_successor, s.id, ends);
	UPDATE users.session SET expires_at = ends WHERE id = s.id;
	RETURN QUERY SELECT 'rotated', s.id, a;
END $$;
