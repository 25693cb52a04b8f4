-- Jobs: what is to be done outside the database, written in the transaction of
-- its cause.  And the first users of them: mails.
--
-- A job runs at least once.  Whoever claims it holds it for a lease, by the
-- database's clock; every claim raises epoch, and a report with an older one
-- changes nothing.  Whatever a job does must bear being done again by one
-- whose report was lost.
--
-- As with the saga, policy (who may try how often, and when again) is C's
-- (shared/jobs.c), and the transitions are here.

-- state:
--   waiting  until run_at
--   running  until run_at; whoever finds it then takes it over
--   done     its payload is gone, and after a while so is the row
--   dead     tried too often or refused for good; stays, payload and all
-- dedupe: one job of a kind and key for as long as the row stays, done or not.
CREATE TABLE ops.job (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind        text NOT NULL CHECK (length(kind) BETWEEN 1 AND 60),
	state       text NOT NULL DEFAULT 'waiting'
	            CHECK (state IN ('waiting', 'running', 'done', 'dead')),
	priority    smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN -2 AND 2),
	dedupe      text CHECK (length(dedupe) BETWEEN 1 AND 255),
	payload     jsonb,
	run_at      timestamptz,
	attempt     integer NOT NULL DEFAULT 0,
	epoch       integer NOT NULL DEFAULT 0,
	owner       text,
	last_error  text,
	created_at  timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	CONSTRAINT live_has_alarm CHECK (
		(state IN ('waiting', 'running')) = (run_at IS NOT NULL)),
	CONSTRAINT ended_has_time CHECK (
		(state IN ('done', 'dead')) = (finished_at IS NOT NULL)),
	CONSTRAINT done_has_no_payload CHECK (state <> 'done' OR payload IS NULL)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200);
CREATE INDEX job_due ON ops.job (priority, run_at) WHERE run_at IS NOT NULL;
CREATE UNIQUE INDEX job_dedupe ON ops.job (kind, dedupe) WHERE dedupe IS NOT NULL;
CREATE INDEX job_done_age ON ops.job (finished_at) WHERE state = 'done';
CREATE INDEX job_dead ON ops.job (id) WHERE state = 'dead';

-- The job's id; with a dedupe key that is known, the known job's.  Higher
-- priorities run first.
CREATE FUNCTION ops.job_add(p_kind text, p_payload jsonb, p_dedupe text DEFAULT NULL,
	p_delay_s integer DEFAULT 0, p_priority integer DEFAULT 0)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	added bigint;
BEGIN
	LOOP
		INSERT INTO ops.job (kind, payload, dedupe, run_at, priority)
		VALUES (p_kind, p_payload, p_dedupe,
			now() + make_interval(secs => p_delay_s), p_priority)
		ON CONFLICT (kind, dedupe) WHERE dedupe IS NOT NULL DO NOTHING
		RETURNING id INTO added;
		IF added IS NULL THEN
			SELECT id INTO added FROM ops.job
			 WHERE kind = p_kind AND dedupe = p_dedupe;
		END IF;
		-- Still null where the known one was purged in between.
		IF added IS NOT NULL THEN
			RETURN added;
		END IF;
	END LOOP;
END $$;

-- Takes up to p_limit jobs that are due, the highest priority and then the
-- longest due first.  late_us: how long this one has been due.
CREATE FUNCTION ops.job_claim(p_kinds text[], p_limit integer, p_owner text, p_lease_s integer)
RETURNS TABLE (id bigint, kind text, payload jsonb, epoch integer, attempt integer,
	created_at timestamptz, late_us bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	claimed bigint[];
	due timestamptz[];
BEGIN
	-- One look into the index for each priority: jobs delayed for long, of
	-- which there may be many, are not walked over.
	SELECT array_agg(d.id), array_agg(d.run_at) INTO claimed, due
	  FROM (SELECT j.id, j.run_at
	          FROM unnest(ARRAY[2, 1, 0, -1, -2]::smallint[]) level
	         CROSS JOIN LATERAL (
	                SELECT w.id, w.run_at FROM ops.job w
	                 WHERE w.priority = level AND w.run_at <= now()
	                   AND w.kind = ANY (p_kinds)
	                 ORDER BY w.run_at LIMIT p_limit
	                   FOR NO KEY UPDATE SKIP LOCKED) j
	         LIMIT p_limit) d;
	IF claimed IS NULL THEN
		RETURN;
	END IF;
	UPDATE ops.job j SET state = 'running', epoch = j.epoch + 1,
	       attempt = j.attempt + 1, owner = p_owner,
	       run_at = now() + make_interval(secs => p_lease_s)
	 WHERE j.id = ANY (claimed);
	RETURN QUERY SELECT j.id, j.kind, j.payload, j.epoch, j.attempt, j.created_at,
	       (extract(epoch FROM now() - c.due) * 1000000)::bigint
	  FROM unnest(claimed, due) WITH ORDINALITY c (id, due, place)
	  JOIN ops.job j ON j.id = c.id
	 WHERE j.id = ANY (claimed) ORDER BY c.place;
END $$;

-- What became of a claimed job: each false when the caller holds it no more.
CREATE FUNCTION ops.job_done(p_job bigint, p_epoch integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE ops.job SET state = 'done', run_at = NULL, finished_at = now(),
	       payload = NULL, owner = NULL, last_error = NULL
	 WHERE id = p_job AND epoch = p_epoch AND state = 'running';
	RETURN FOUND;
END $$;

CREATE FUNCTION ops.job_retry(p_job bigint, p_epoch integer, p_delay_ms bigint, p_error text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE ops.job SET state = 'waiting', owner = NULL, last_error = p_error,
	       run_at = now() + make_interval(secs => p_delay_ms / 1000.0)
	 WHERE id = p_job AND epoch = p_epoch AND state = 'running';
	RETURN FOUND;
END $$;

CREATE FUNCTION ops.job_dead(p_job bigint, p_epoch integer, p_error text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE ops.job SET state = 'dead', run_at = NULL, finished_at = now(),
	       owner = NULL, last_error = p_error
	 WHERE id = p_job AND epoch = p_epoch AND state = 'running';
	RETURN FOUND;
END $$;

-- How long the job that has waited longest is due, in milliseconds; 0 of none.
CREATE FUNCTION ops.job_oldest_due_ms() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN (SELECT coalesce(max(greatest(0, extract(epoch FROM now() - j.run_at) * 1000)), 0)
	  FROM unnest(ARRAY[2, 1, 0, -1, -2]::smallint[]) level
	 CROSS JOIN LATERAL (
		SELECT w.run_at FROM ops.job w
		 WHERE w.priority = level AND w.run_at IS NOT NULL
		 ORDER BY w.run_at LIMIT 1) j)::bigint;
END $$;

-- Forgets jobs that were done p_age_s ago, at most p_limit.  Dead ones stay.
CREATE FUNCTION ops.job_purge(p_age_s integer, p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	purged bigint;
BEGIN
	DELETE FROM ops.job WHERE id = ANY (ARRAY(
		SELECT j.id FROM ops.job j
		 WHERE j.state = 'done' AND j.finished_at < now() - make_interval(secs => p_age_s)
		 ORDER BY j.finished_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
	GET DIAGNOSTICS purged = ROW_COUNT;
	RETURN purged;
END $$;

GRANT EXECUTE ON FUNCTION ops.job_add(text, jsonb, text, integer, integer)
	TO souk_gateway, souk_users, souk_catalog, souk_orders, souk_payments, souk_cron;
GRANT EXECUTE ON FUNCTION ops.job_claim(text[], integer, text, integer),
	ops.job_done(bigint, integer), ops.job_retry(bigint, integer, bigint, text),
	ops.job_dead(bigint, integer, text), ops.job_oldest_due_ms(),
	ops.job_purge(integer, integer) TO souk_cron;

-- Mails.  A job of the kind 'mail' has the payload
--     {"template": "password_changed", "user": 5, ...}
-- and the schema mail one function for each template, of the same name:
--     mail.password_changed(p jsonb) RETURNS jsonb
-- p is the payload, and with it what ops.mail_compose() knows.  The answer has
-- the address ("to") and a text for each {{placeholder}} of the template's two
-- files in shared/mail; null: there is nothing to send any more.  A "link"
-- holds {token} where the token belongs, and nothing else needs to know it:
-- whoever sends the mail makes the token, and only its hash comes here.
--
-- No mail says a name that its reader has not confirmed to be theirs: else
-- anybody could have the shop write anything to anyone.
CREATE SCHEMA mail;

-- Name and text of each value; none when there is nothing to send, or the
-- caller holds the job no more.  A "problem" is a fault in the function.
CREATE FUNCTION ops.mail_compose(p_job bigint, p_epoch integer, p_token_hash bytea,
	p_settings jsonb)
RETURNS TABLE (name text, value text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	j ops.job;
	answer jsonb;
BEGIN
	SELECT * INTO j FROM ops.job
	 WHERE id = p_job AND epoch = p_epoch AND state = 'running';
	IF NOT FOUND THEN
		RETURN;
	END IF;
	BEGIN
		EXECUTE format('SELECT mail.%I($1)', j.payload ->> 'template') INTO answer
		  USING j.payload || p_settings || jsonb_build_object('job', j.id,
			'at', j.created_at, 'token_hash', p_token_hash);
	EXCEPTION
	WHEN transaction_rollback OR operator_intervention OR lock_not_available THEN
		RAISE;
	WHEN OTHERS THEN
		RETURN QUERY VALUES ('problem', SQLERRM);
		RETURN;
	END;
	RETURN QUERY SELECT e.key, e.value FROM jsonb_each_text(
		answer || jsonb_build_object('template', j.payload ->> 'template')) e;
END $$;
GRANT EXECUTE ON FUNCTION ops.mail_compose(bigint, integer, bytea, jsonb) TO souk_cron;

-- For erasing an account: mails about it that were not sent, and what servers
-- said of its address.
CREATE FUNCTION ops.mail_erase(p_user bigint, p_email text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	DELETE FROM ops.job WHERE kind = 'mail' AND state <> 'done'
	   AND (payload ->> 'user' = p_user::text OR lower(payload ->> 'email') = lower(p_email));
$$;
GRANT EXECUTE ON FUNCTION ops.mail_erase(bigint, text) TO souk_users;

-- "24 hours", "1 hour", "90 minutes".
CREATE FUNCTION ops.spoken_duration(seconds integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
	WHEN seconds % 3600 <> 0 THEN ceil(seconds / 60.0)::integer || ' minutes'
	WHEN seconds = 3600 THEN '1 hour'
	ELSE seconds / 3600 || ' hours' END;

-- What a mailed token opens, once.
CREATE TABLE users.email_token (
	hash       bytea PRIMARY KEY CHECK (length(hash) = 32),
	purpose    text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
	user_id    bigint NOT NULL REFERENCES users.account ON DELETE CASCADE,
	job_id     bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	used_at    timestamptz
) WITH (fillfactor = 85);
CREATE INDEX email_token_user ON users.email_token (user_id, purpose);
CREATE INDEX email_token_age ON users.email_token (expires_at);

-- For the mail that p, of ops.mail_compose(), is about.  False: this account
-- has had enough such mails in the last hour.  The caller has locked the
-- account, so that mails made at once are counted one after the other.
--
-- A mail sent again, because nobody knows whether it arrived, has a token of
-- its own, and the earlier one may be what arrived: a job's tokens stay good
-- together.  p_replaces: those of earlier jobs do not.
CREATE FUNCTION users.email_token_add(p jsonb, p_purpose text, p_user bigint,
	p_ttl_s integer, p_replaces boolean)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	job bigint := (p ->> 'job')::bigint;
BEGIN
	IF (SELECT count(DISTINCT t.job_id) FROM users.email_token t
	     WHERE t.user_id = p_user AND t.purpose = p_purpose AND t.job_id <> job
	       AND t.created_at > now() - interval '1 hour') >= (p ->> 'most_per_hour')::integer THEN
		RETURN false;
	END IF;
	IF p_replaces THEN
		UPDATE users.email_token SET expires_at = least(expires_at, now())
		 WHERE user_id = p_user AND purpose = p_purpose AND job_id <> job;
	END IF;
	INSERT INTO users.email_token (hash, purpose, user_id, job_id, expires_at)
	VALUES ((p ->> 'token_hash')::bytea, p_purpose, p_user, job,
		now() + make_interval(secs => p_ttl_s));
	RETURN true;
END $$;

-- Payload: user.
CREATE FUNCTION mail.verify_email(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	a users.account;
	ttl integer := (p ->> 'verify_ttl_s')::integer;
BEGIN
	SELECT * INTO a FROM users.account
	 WHERE id = (p ->> 'user')::bigint AND is_active AND NOT email_verified
	   FOR NO KEY UPDATE;
	IF NOT FOUND OR NOT users.email_token_add(p, 'verify_email', a.id, ttl, false) THEN
		RETURN NULL;
	END IF;
	RETURN jsonb_build_object('to', a.email, 'link', p ->> 'verify_url',
		'valid_for', ops.spoken_duration(ttl));
END $$;

-- Payload: email, as it was asked for; whose it is, is looked up only here,
-- so that the asking takes as long for anybody's.
CREATE FUNCTION mail.reset_password(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	a users.account;
	ttl integer := (p ->> 'reset_ttl_s')::integer;
BEGIN
	SELECT * INTO a FROM users.account
	 WHERE lower(email) = lower(p ->> 'email') AND is_active FOR NO KEY UPDATE;
	IF NOT FOUND OR NOT users.email_token_add(p, 'reset_password', a.id, ttl, true) THEN
		RETURN NULL;
	END IF;
	RETURN jsonb_build_object('to', a.email, 'link', p ->> 'reset_url',
		'valid_for', ops.spoken_duration(ttl));
END $$;

-- Payload: user.
CREATE FUNCTION mail.password_changed(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT jsonb_build_object('to', a.email,
		'when', to_char((p ->> 'at')::timestamptz AT TIME ZONE 'UTC',
			'FMDD FMMonth YYYY, HH24:MI "UTC"'))
	  FROM users.account a WHERE a.id = (p ->> 'user')::bigint AND a.is_active);
END $$;

-- 'verified', 'already' (by the same token before) or 'invalid'.
CREATE FUNCTION users.email_verify(p_hash bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t users.email_token;
BEGIN
	SELECT * INTO t FROM users.email_token
	 WHERE hash = p_hash AND purpose = 'verify_email' FOR UPDATE;
	IF t.used_at IS NOT NULL THEN
		RETURN 'already';
	END IF;
	IF t.hash IS NULL OR t.expires_at <= now() THEN
		RETURN 'invalid';
	END IF;
	UPDATE users.account SET email_verified = true, updated_at = now()
	 WHERE id = t.user_id AND is_active;
	IF NOT FOUND THEN
		RETURN 'invalid';
	END IF;
	UPDATE users.email_token SET used_at = now() WHERE hash = p_hash;
	RETURN 'verified';
END $$;

-- The account whose password the token may set now, or null.
CREATE FUNCTION users.reset_token_user(p_hash bytea) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT a.id FROM users.email_token t JOIN users.account a ON a.id = t.user_id
	         WHERE t.hash = p_hash AND t.purpose = 'reset_password'
	           AND t.used_at IS NULL AND t.expires_at > now() AND a.is_active);
END $$;

-- Spends the token, and with it all others that would set this password; the
-- account, whose row stays locked, or null.
CREATE FUNCTION users.reset_token_spend(p_hash bytea) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	whose bigint := users.reset_token_user(p_hash);
BEGIN
	-- Whoever comes second waits here, and finds the token spent.
	PERFORM FROM users.account WHERE id = whose FOR NO KEY UPDATE;
	whose := users.reset_token_user(p_hash);
	UPDATE users.email_token SET used_at = now()
	 WHERE user_id = whose AND purpose = 'reset_password' AND used_at IS NULL;
	RETURN whose;
END $$;

-- Forgets tokens that have expired an hour ago or more (younger ones still
-- count as mails), at most p_limit.
CREATE FUNCTION users.email_token_purge(p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	purged bigint;
BEGIN
	DELETE FROM users.email_token WHERE hash = ANY (ARRAY(
		SELECT t.hash FROM users.email_token t
		 WHERE t.expires_at < now() - interval '1 hour'
		 ORDER BY t.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
	GET DIAGNOSTICS purged = ROW_COUNT;
	RETURN purged;
END $$;

GRANT SELECT, INSERT, UPDATE ON users.email_token TO souk_users;
GRANT EXECUTE ON FUNCTION users.email_verify(bytea), users.reset_token_user(bytea),
	users.reset_token_spend(bytea) TO souk_users;
GRANT EXECUTE ON FUNCTION users.email_token_purge(integer) TO souk_cron;
