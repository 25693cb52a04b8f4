-- Identity: the audit log, sessions that end at once, and what a user may ask
-- to see or have erased.

-- Who does a thing, from where, in which request; actor is null where nobody
-- is signed in (a password reset) or an operator does it at a shell.
CREATE TYPE ops.caller AS (actor bigint, address text, request text);

-- Privileged acts, each written in the transaction of its effect.  Nothing in
-- it is personal but the address, so an erased user can stay in it as a number.
CREATE TABLE ops.audit (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	actor_id   bigint,
	action     text NOT NULL CHECK (action ~ '^[a-z]+\.[a-z_]+$'),
	target     text NOT NULL CHECK (length(target) BETWEEN 1 AND 100),
	address    text,
	request_id text,
	before     json,
	after      json,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_actor ON ops.audit (actor_id, id);
CREATE INDEX audit_action ON ops.audit (action, id);
CREATE INDEX audit_target ON ops.audit (target, id);

CREATE FUNCTION ops.audit_only_grows() RETURNS trigger
LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
	-- An erased user's address goes, and nothing else ever.
	IF TG_OP = 'UPDATE' AND NEW.address IS NULL
	   AND to_jsonb(NEW) = to_jsonb(OLD) || '{"address": null}' THEN
		RETURN NEW;
	END IF;
	RAISE EXCEPTION 'the audit log only grows'
		USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER rows_stay BEFORE UPDATE OR DELETE ON ops.audit
	FOR EACH ROW EXECUTE FUNCTION ops.audit_only_grows();
CREATE TRIGGER table_stays BEFORE TRUNCATE ON ops.audit
	FOR EACH STATEMENT EXECUTE FUNCTION ops.audit_only_grows();

-- For every context.  p_action is "what.done", p_target "kind:id".
CREATE FUNCTION ops.audit_add(p_by ops.caller, p_action text, p_target text,
	p_before json DEFAULT NULL, p_after json DEFAULT NULL)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	INSERT INTO ops.audit (actor_id, action, target, address, request_id, before, after)
	VALUES (p_by.actor, p_action, p_target, p_by.address, p_by.request, p_before, p_after);
$$;

CREATE FUNCTION ops.audit_json(a ops.audit) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', a.id, 'actor_id', a.actor_id, 'action', a.action,
	'target', a.target, 'address', a.address, 'request_id', a.request_id,
	'before', a.before, 'after', a.after, 'created_at', ops.wire_time(a.created_at));

GRANT EXECUTE ON FUNCTION ops.audit_add(ops.caller, text, text, json, json)
	TO souk_gateway, souk_users, souk_catalog, souk_orders, souk_payments, souk_cron;
GRANT SELECT ON ops.audit TO souk_users;
GRANT EXECUTE ON FUNCTION ops.audit_json(ops.audit) TO souk_users;

-- An erased account stays as a number that orders and the audit log refer to.
ALTER TABLE users.account ADD COLUMN erased_at timestamptz;
ALTER TABLE users.session
	ADD COLUMN user_agent text CHECK (length(user_agent) <= 255),
	ADD COLUMN used_at timestamptz;	-- null: not since it began
CREATE INDEX session_age ON users.session (expires_at);
CREATE INDEX refresh_token_age ON users.refresh_token (expires_at);
CREATE INDEX account_role ON users.account (role, id);
GRANT USAGE ON SCHEMA trigram TO souk_users;
CREATE INDEX account_email_trigrams ON users.account
	USING gin (lower(email) trigram.gin_trgm_ops);

-- Does the session live, and is its user still who the token says?  Notes the
-- use, roughly: once in five minutes, and without waiting for anybody.
DROP FUNCTION users.session_is_live(uuid);
CREATE FUNCTION users.session_is_live(p_session uuid, p_user bigint DEFAULT NULL,
	p_role text DEFAULT NULL)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	last_used timestamptz;
BEGIN
	SELECT coalesce(s.used_at, s.created_at) INTO last_used
	  FROM users.session s JOIN users.account a ON a.id = s.user_id
	 WHERE s.id = p_session AND s.revoked_at IS NULL AND s.expires_at > now()
	   AND a.is_active AND a.id = coalesce(p_user, a.id) AND a.role = coalesce(p_role, a.role);
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	IF last_used < now() - interval '5 minutes' THEN
		PERFORM set_config('synchronous_commit', 'off', true);
		UPDATE users.session SET used_at = now() WHERE id = (
			SELECT s.id FROM users.session s
			 WHERE s.id = p_session FOR NO KEY UPDATE SKIP LOCKED);
	END IF;
	RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION users.session_is_live(uuid, bigint, text) TO souk_users,
	souk_gateway, souk_catalog, souk_orders, souk_payments, souk_cron;

-- p_known is the hash that the password was found to match.  If it is not the
-- account's any more, because the password was changed or the account
-- deactivated meanwhile, there is no session: the row lock puts this either
-- before the change, which then ends this session too, or after it.
DROP FUNCTION users.session_open(bigint, bytea, text, integer);
CREATE FUNCTION users.session_open(p_user bigint, p_hash bytea, p_address text,
	p_ttl_s integer, p_agent text DEFAULT NULL, p_known text DEFAULT NULL)
RETURNS uuid LANGUAGE sql AS $$
	WITH who AS (
		SELECT a.id FROM users.account a
		 WHERE a.id = p_user AND a.is_active
		   AND a.password_hash = coalesce(p_known, a.password_hash) FOR SHARE),
	opened AS (
		INSERT INTO users.session (user_id, address, user_agent, expires_at)
		SELECT id, p_address, p_agent, now() + make_interval(secs => p_ttl_s) FROM who
		RETURNING id, expires_at)
	INSERT INTO users.refresh_token (hash, session_id, expires_at)
	SELECT p_hash, id, expires_at FROM opened
	RETURNING session_id;
$$;

-- Ends the user's sessions but p_keep: those it ended.  Who calls this holds
-- the account's row lock, so that no session begins unseen.
CREATE FUNCTION users.sessions_end(p_user bigint, p_keep uuid DEFAULT NULL)
RETURNS SETOF uuid LANGUAGE sql AS $$
	UPDATE users.session SET revoked_at = now()
	 WHERE user_id = p_user AND revoked_at IS NULL AND expires_at > now()
	   AND id IS DISTINCT FROM p_keep
	RETURNING id;
$$;

CREATE FUNCTION users.logout_all(p_user bigint, p_by ops.caller)
RETURNS SETOF uuid LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM users.account WHERE id = p_user FOR NO KEY UPDATE;
	PERFORM ops.audit_add(p_by, 'user.logout_all', 'user:' || p_user);
	RETURN QUERY SELECT users.sessions_end(p_user);
END $$;

-- Sets a password, tells its owner, and ends their sessions but p_keep: those
-- it ended.  Nothing mailed before can set another.
-- p_known, where not null, is the hash that must still be the account's.
-- p_action: user.password_changed or user.password_reset.
CREATE FUNCTION users.password_set(p_user bigint, p_known text, p_hash text,
	p_keep uuid, p_action text, p_by ops.caller)
RETURNS SETOF uuid LANGUAGE plpgsql AS $$
BEGIN
	UPDATE users.account SET password_hash = p_hash, updated_at = now()
	 WHERE id = p_user AND is_active
	   AND password_hash = coalesce(p_known, password_hash);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'invalid_credentials' USING ERRCODE = 'SK000',
			HINT = 'The password is wrong';
	END IF;
	UPDATE users.email_token SET used_at = now()
	 WHERE user_id = p_user AND purpose = 'reset_password' AND used_at IS NULL;
	PERFORM ops.audit_add(p_by, p_action, 'user:' || p_user);
	PERFORM ops.job_add('mail', jsonb_build_object('template', 'password_changed', 'user', p_user));
	RETURN QUERY SELECT users.sessions_end(p_user, p_keep);
END $$;

-- The same with a mailed token, which that spends.  At least one row; the
-- session is null where none has ended.
CREATE FUNCTION users.password_reset(p_token bytea, p_hash text, p_by ops.caller)
RETURNS TABLE (email text, session uuid) LANGUAGE plpgsql AS $$
DECLARE
	whose bigint := users.reset_token_spend(p_token);
	ended uuid[];
BEGIN
	IF whose IS NULL THEN
		RAISE EXCEPTION 'invalid_token' USING ERRCODE = 'SK000';
	END IF;
	ended := ARRAY(SELECT users.password_set(whose, NULL, p_hash, NULL,
		'user.password_reset', p_by));
	RETURN QUERY SELECT a.email, e.id
	  FROM users.account a LEFT JOIN unnest(ended) e (id) ON true WHERE a.id = whose;
END $$;

-- What an admin may change of another's account, and the sessions that ends:
-- an access token says what its user may do, so none outlives a change of
-- role.  At least one row; the session is null where none has ended.
CREATE FUNCTION users.account_update(p_user bigint, p_role text, p_active boolean,
	p_by ops.caller)
RETURNS TABLE (account json, session uuid) LANGUAGE plpgsql AS $$
DECLARE
	was users.account;
	becomes users.account;
	ended uuid[];
BEGIN
	-- Admins change each other, never themselves, and both rows are locked: so
	-- of two who demote each other at once, one stays.
	PERFORM FROM users.account a WHERE a.id IN (p_user, p_by.actor)
	  ORDER BY a.id FOR NO KEY UPDATE;
	IF NOT EXISTS (SELECT FROM users.account a WHERE a.id = p_by.actor
	                  AND a.role = 'admin' AND a.is_active) THEN
		RAISE EXCEPTION 'forbidden' USING ERRCODE = 'SK000';
	END IF;
	SELECT * INTO was FROM users.account a WHERE a.id = p_user AND a.erased_at IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'not_found' USING ERRCODE = 'SK000';
	END IF;
	becomes := was;
	becomes.role := coalesce(p_role, was.role);
	becomes.is_active := coalesce(p_active, was.is_active);
	IF becomes IS NOT DISTINCT FROM was THEN
		RETURN QUERY SELECT users.user_json(was), NULL::uuid;
		RETURN;
	END IF;
	IF p_user = p_by.actor THEN
		RAISE EXCEPTION 'own_account' USING ERRCODE = 'SK000';
	END IF;
	UPDATE users.account a SET role = becomes.role, is_active = becomes.is_active,
	       updated_at = now() WHERE a.id = p_user RETURNING * INTO becomes;
	IF becomes.role <> was.role THEN
		PERFORM ops.audit_add(p_by, 'user.role_changed', 'user:' || p_user,
			json_build_object('role', was.role), json_build_object('role', becomes.role));
	END IF;
	IF becomes.is_active <> was.is_active THEN
		PERFORM ops.audit_add(p_by,
			CASE WHEN becomes.is_active THEN 'user.activated' ELSE 'user.deactivated' END,
			'user:' || p_user, json_build_object('is_active', was.is_active),
			json_build_object('is_active', becomes.is_active));
	END IF;
	IF becomes.role <> was.role OR NOT becomes.is_active THEN
		ended := ARRAY(SELECT users.sessions_end(p_user));
	END IF;
	RETURN QUERY SELECT users.user_json(becomes), e.id
	  FROM (SELECT) one LEFT JOIN unnest(ended) e (id) ON true;
END $$;

--
-- What each context holds on a user, and how it forgets them.  Orders, money
-- and the audit log stay, with nobody's name on them.
--

CREATE FUNCTION orders.user_export(p_user bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT json_build_object(
		'orders', coalesce((
			SELECT json_agg(orders.order_json(o.id, NULL) ORDER BY o.id)
			  FROM orders.orders o WHERE o.user_id = p_user), '[]'),
		'history', coalesce((
			SELECT json_agg(json_build_object('id', h.id, 'order_id', h.order_id,
				'old_status', h.old_status, 'new_status', h.new_status,
				'changed_by', h.changed_by, 'notes', h.notes,
				'created_at', ops.wire_time(h.created_at)) ORDER BY h.id)
			  FROM orders.history h JOIN orders.orders o ON o.id = h.order_id
			 WHERE o.user_id = p_user), '[]'));
$$;

CREATE FUNCTION orders.user_erase(p_user bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	UPDATE orders.orders SET shipping_address = 'erased', shipping_city = NULL,
	       shipping_state = NULL, shipping_zip = NULL, shipping_country = NULL,
	       customer_notes = NULL, updated_at = now()
	 WHERE user_id = p_user;
	UPDATE orders.history SET notes = NULL WHERE changed_by = p_user
	   AND order_id IN (SELECT id FROM orders.orders WHERE user_id = p_user);
$$;

CREATE FUNCTION payments.user_export(p_user bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT coalesce(json_agg(payments.payment_json(p) ORDER BY p.id), '[]')
	  FROM payments.payment p WHERE p.user_id = p_user;
$$;

-- An event has been applied when it is stored: its body serves nobody.
CREATE FUNCTION payments.user_erase(p_user bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	UPDATE payments.webhook_event SET payload = '{"erased": true}'
	 WHERE order_id IN (SELECT order_id FROM payments.payment WHERE user_id = p_user);
	UPDATE payments.payment SET payment_method = NULL, error_message = NULL,
	       updated_at = now() WHERE user_id = p_user;
$$;

CREATE FUNCTION catalog.user_export(p_user bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT json_build_object('products', coalesce((
		SELECT json_agg(w ORDER BY w.id) FROM catalog.product_wire_seller w
		 WHERE w.seller_id = p_user), '[]'));
$$;

-- What an erased seller sold is for sale no more.
CREATE FUNCTION catalog.user_erase(p_user bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	UPDATE catalog.product SET is_active = false, updated_at = now()
	 WHERE seller_id = p_user AND is_active;
$$;

-- Others' addresses are theirs.
CREATE FUNCTION ops.user_export(p_user bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT coalesce(json_agg(json_build_object('action', a.action, 'target', a.target,
		'by_themself', a.actor_id IS NOT DISTINCT FROM p_user,
		'address', CASE WHEN a.actor_id = p_user THEN a.address END,
		'before', a.before, 'after', a.after,
		'created_at', ops.wire_time(a.created_at)) ORDER BY a.id), '[]')
	  FROM ops.audit a WHERE a.actor_id = p_user OR a.target = 'user:' || p_user;
$$;

-- Kept answers are copies of what is erased elsewhere.  That of a registration
-- is kept under no user, and names them by their e-mail.
CREATE FUNCTION ops.user_erase(p_user bigint, p_email text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	DELETE FROM ops.idempotency WHERE user_id = p_user
	    OR (user_id = 0 AND strpos(body, to_json(p_email)::text) > 0);
	UPDATE ops.audit SET address = NULL
	 WHERE address IS NOT NULL AND (actor_id = p_user
	    OR (actor_id IS NULL AND target = 'user:' || p_user));
$$;

CREATE FUNCTION users.account_export(p_user bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT json_build_object('exported_at', ops.wire_time(now()),
		'account', users.user_json(a),
		'sessions', (
			SELECT coalesce(json_agg(json_build_object('id', s.id,
				'address', s.address, 'user_agent', s.user_agent,
				'created_at', ops.wire_time(s.created_at),
				'last_used_at', ops.wire_time(coalesce(s.used_at, s.created_at)),
				'expires_at', ops.wire_time(s.expires_at),
				'ended_at', ops.wire_time(s.revoked_at)) ORDER BY s.created_at), '[]')
			  FROM users.session s WHERE s.user_id = a.id),
		'orders', o.part -> 'orders', 'order_history', o.part -> 'history',
		'payments', payments.user_export(a.id),
		'catalog', catalog.user_export(a.id),
		'audit', ops.user_export(a.id))
	  FROM users.account a, orders.user_export(a.id) o (part) WHERE a.id = p_user;
$$;

-- Erases the account whose password hash is p_known: the sessions that ends.
-- The shop keeps an admin.
CREATE FUNCTION users.account_erase(p_user bigint, p_known text, p_by ops.caller)
RETURNS SETOF uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	a users.account;
	ended uuid[];
BEGIN
	PERFORM FROM users.account x
	  WHERE x.id = p_user OR (x.role = 'admin' AND x.is_active AND EXISTS (
		SELECT FROM users.account me WHERE me.id = p_user AND me.role = 'admin'))
	  ORDER BY x.id FOR NO KEY UPDATE;
	SELECT * INTO a FROM users.account x
	 WHERE x.id = p_user AND x.is_active AND x.password_hash = p_known;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'invalid_credentials' USING ERRCODE = 'SK000',
			HINT = 'The password is wrong';
	END IF;
	IF a.role = 'admin' AND NOT EXISTS (SELECT FROM users.account x
	    WHERE x.role = 'admin' AND x.is_active AND x.id <> p_user) THEN
		RAISE EXCEPTION 'last_admin' USING ERRCODE = 'SK000';
	END IF;
	ended := ARRAY(SELECT users.sessions_end(p_user));
	-- Refresh tokens go with them.
	DELETE FROM users.session WHERE user_id = p_user;
	DELETE FROM users.email_token WHERE user_id = p_user;
	PERFORM ops.mail_erase(p_user, a.email);
	-- An address that nobody can have, and so nobody can register before.
	UPDATE users.account SET email = format('erased-%s-%s@erased.invalid', p_user,
	           replace(gen_random_uuid()::text, '-', '')),
	       password_hash = 'erased', first_name = NULL, last_name = NULL,
	       is_active = false, email_verified = false, erased_at = now(), updated_at = now()
	 WHERE id = p_user;
	PERFORM ops.audit_add(p_by, 'user.erased', 'user:' || p_user,
		json_build_object('role', a.role));
	PERFORM orders.user_erase(p_user);
	PERFORM payments.user_erase(p_user);
	PERFORM catalog.user_erase(p_user);
	PERFORM ops.user_erase(p_user, a.email);
	RETURN QUERY SELECT unnest(ended);
END $$;

--
-- What has run out.  Each deletes at most p_limit of each kind and passes by
-- what somebody else is at work on.
--

CREATE FUNCTION users.tokens_purge(p_limit integer)
RETURNS TABLE (refresh_tokens bigint, sessions bigint, email_tokens bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	DELETE FROM users.refresh_token WHERE hash IN (
		SELECT t.hash FROM users.refresh_token t WHERE t.expires_at < now()
		 ORDER BY t.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
	GET DIAGNOSTICS refresh_tokens = ROW_COUNT;
	-- A session runs out with its last token, which is gone before it is: so
	-- no deletion cascades to more rows than the limit.
	DELETE FROM users.session WHERE id IN (
		SELECT s.id FROM users.session s
		 WHERE s.expires_at < now() AND NOT EXISTS (
			SELECT FROM users.refresh_token t WHERE t.session_id = s.id)
		 ORDER BY s.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
	GET DIAGNOSTICS sessions = ROW_COUNT;
	email_tokens := users.email_token_purge(p_limit);
	RETURN NEXT;
END $$;

-- A key lives 24 hours.
CREATE FUNCTION ops.idempotency_purge(p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	gone bigint;
BEGIN
	DELETE FROM ops.idempotency WHERE (user_id, key) IN (
		SELECT k.user_id, k.key FROM ops.idempotency k
		 WHERE k.created_at < now() - interval '24 hours'
		 ORDER BY k.created_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
	GET DIAGNOSTICS gone = ROW_COUNT;
	RETURN gone;
END $$;

GRANT EXECUTE ON FUNCTION
	users.session_open(bigint, bytea, text, integer, text, text),
	users.sessions_end(bigint, uuid), users.logout_all(bigint, ops.caller),
	users.password_set(bigint, text, text, uuid, text, ops.caller),
	users.password_reset(bytea, text, ops.caller),
	users.account_update(bigint, text, boolean, ops.caller),
	users.account_export(bigint), users.account_erase(bigint, text, ops.caller)
	TO souk_users;
GRANT EXECUTE ON FUNCTION users.tokens_purge(integer), ops.idempotency_purge(integer)
	TO souk_cron;
