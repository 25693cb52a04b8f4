-- What has happened in the shop, for others to know: events, written where the
-- fact is, in its transaction, by triggers, so that no code path can forget
-- one.  A relay sends them on (functions/cron/events_relay.c).  And what is told
-- of the same facts to people: mails about orders.
--
-- Types (the README has what is in each):
--   order.placed .paid .processing .shipped .delivered .cancelled .refunded
--   payment.succeeded .failed .refunded .refund_failed .disputed .dispute_won
--   stock.low
--   product.created .updated .deleted     review.created .updated .deleted
--   user.registered .erased
-- No name, address, e-mail or secret is in any of them: a copy that has left
-- the shop cannot be erased.

-- Says that there is something new to do for whoever waits for that.  The
-- runtime hears it as a notice on the writer's connection and, after the commit,
-- wakes them (runtime/wake.h).  Once a transaction is enough.
CREATE FUNCTION ops.wake(p_topic text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	said text := current_setting('souk.woke_' || p_topic, true);
BEGIN
	IF said IS DISTINCT FROM 'yes' THEN
		said := set_config('souk.woke_' || p_topic, 'yes', true);
		RAISE NOTICE USING MESSAGE = p_topic, ERRCODE = 'SK002';
	END IF;
END $$;

CREATE FUNCTION ops.wake_others() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	PERFORM ops.wake(TG_ARGV[0]);
	RETURN NULL;
END $$;

--
-- The outbox.
--

-- state:
--   waiting  to be sent
--   sent     taken by the sink; kept for a while
--   dead     refused for good, or too often; stays until an operator sends it
--            again or drops it (schema/190_operator_events.sql)
--   dropped  an operator wants it sent no more
-- Of the events about one subject only the first that waits has a due_at: the
-- others follow it one by one.  A claim puts due_at off by a lease and raises
-- epoch, and a report with an older one changes nothing.
--
-- Every order writes here.  The state is an enumeration because a CHECK costs as
-- much as the rest of the row; only the functions below write.
CREATE TYPE ops.event_state AS ENUM ('waiting', 'sent', 'dead', 'dropped');
CREATE TABLE ops.event (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	uuid       uuid NOT NULL DEFAULT gen_random_uuid(),
	type       text NOT NULL,
	subject    text NOT NULL,
	data       json NOT NULL,
	at         timestamptz NOT NULL DEFAULT clock_timestamp(),
	state      ops.event_state NOT NULL DEFAULT 'waiting',
	due_at     timestamptz,
	attempt    integer NOT NULL DEFAULT 0,
	epoch      integer NOT NULL DEFAULT 0,
	last_error text,
	ended_at   timestamptz
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 200);
CREATE INDEX event_due ON ops.event (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX event_unsent ON ops.event (subject, id) WHERE state <> 'sent';

-- The caller holds a lock on what the event is about, so that events about one
-- subject are written one after the other.  While the one before this has not
-- left, this waits its turn; the lock on it makes whoever reports it as sent wait
-- for us, and find this one.
CREATE FUNCTION ops.event_add(p_type text, p_subject text, p_data json) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM ops.event e WHERE e.subject = p_subject AND e.state <> 'sent'
	   AND e.state = 'waiting'
	  ORDER BY e.id DESC LIMIT 1 FOR SHARE;
	IF FOUND THEN
		INSERT INTO ops.event (type, subject, data) VALUES (p_type, p_subject, p_data);
	ELSE
		INSERT INTO ops.event (type, subject, data, due_at)
		VALUES (p_type, p_subject, p_data, now());
		PERFORM ops.wake('events');
	END IF;
END $$;

-- Takes up to p_limit events that are due, each of another subject.
CREATE FUNCTION ops.event_claim(p_limit integer, p_lease_s integer)
RETURNS TABLE (id bigint, uuid uuid, type text, subject text, data json, at text,
	age_us bigint, attempt integer, epoch integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ''
-- By the index of what is due, whatever the statistics say.
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
		       e.attempt, e.epoch;
	END IF;
END $$;

-- The end of a claimed event, 'sent' or 'dead': the next of its subject is due.
-- False when the caller holds it no more.
CREATE FUNCTION ops.event_end(p_event bigint, p_epoch integer, p_state ops.event_state,
	p_error text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	whose text;
BEGIN
	UPDATE ops.event SET state = p_state, due_at = NULL, ended_at = now(), last_error = p_error
	 WHERE id = p_event AND epoch = p_epoch AND state = 'waiting'
	RETURNING subject INTO whose;
	IF whose IS NULL THEN
		RETURN false;
	END IF;
	UPDATE ops.event SET due_at = now()
	 WHERE due_at IS NULL AND id = (
		SELECT min(e.id) FROM ops.event e
		 WHERE e.subject = whose AND e.state <> 'sent' AND e.state = 'waiting');
	RETURN true;
END $$;

CREATE FUNCTION ops.event_retry(p_event bigint, p_epoch integer, p_delay_ms bigint, p_error text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE ops.event SET due_at = now() + make_interval(secs => p_delay_ms / 1000.0),
	       last_error = p_error
	 WHERE id = p_event AND epoch = p_epoch AND state = 'waiting';
	RETURN FOUND;
END $$;

-- How much waits and since when, when the next is due (null: none) and how many
-- are dead.
CREATE FUNCTION ops.event_backlog()
RETURNS TABLE (waiting bigint, oldest_ms bigint, next_due_ms bigint, dead bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY SELECT count(*) FILTER (WHERE e.state = 'waiting'),
	       coalesce(extract(epoch FROM now() - min(e.at) FILTER (WHERE e.state = 'waiting')) * 1000, 0)::bigint,
	       (SELECT greatest(0, extract(epoch FROM d.due_at - now()) * 1000)::bigint
	          FROM ops.event d WHERE d.due_at IS NOT NULL ORDER BY d.due_at LIMIT 1),
	       count(*) FILTER (WHERE e.state = 'dead')
	  FROM ops.event e WHERE e.state <> 'sent';
END $$;

-- Forgets events that are p_age_s old, at most p_limit, the oldest first.
-- Dead ones stay, and those that wait, unless p_waiting: nobody will send them.
CREATE FUNCTION ops.event_purge(p_age_s integer, p_waiting boolean, p_limit integer)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	purged bigint;
BEGIN
	DELETE FROM ops.event WHERE id = ANY (ARRAY(
		SELECT o.id FROM (
			SELECT e.id, e.at, e.state FROM ops.event e WHERE e.state <> 'dead'
			 ORDER BY e.id LIMIT p_limit FOR UPDATE SKIP LOCKED) o
		 WHERE o.at < now() - make_interval(secs => p_age_s)
		   AND (o.state <> 'waiting' OR p_waiting)));
	GET DIAGNOSTICS purged = ROW_COUNT;
	RETURN purged;
END $$;

GRANT EXECUTE ON FUNCTION ops.event_claim(integer, integer),
	ops.event_end(bigint, integer, ops.event_state, text),
	ops.event_retry(bigint, integer, bigint, text), ops.event_backlog(),
	ops.event_purge(integer, boolean, integer) TO souk_cron;

--
-- Who may be told what of an order, and the facts that are.
--

-- Adds a mail to the buyer, once for each fact.
CREATE FUNCTION orders.mail_buyer(p_template text, p_user bigint, p_order bigint, p_fact text,
	p_more jsonb DEFAULT '{}')
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	RETURN ops.job_add('mail', jsonb_build_object('template', p_template, 'user', p_user,
		'order', p_order) || p_more, p_fact);
END $$;

-- At the commit, so that the order is told as it is then.  Nobody but its buyer
-- knows of a new one; of others the lock keeps the order of what happened.
CREATE FUNCTION orders.history_told() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	buyer bigint;
	data json;
	template text := CASE NEW.new_status
		WHEN 'paid' THEN 'order_confirmation'
		WHEN 'processing' THEN 'order_status'
		WHEN 'shipped' THEN 'order_shipped'
		WHEN 'delivered' THEN 'order_status'
		WHEN 'cancelled' THEN 'order_cancelled' END;
BEGIN
	IF NEW.old_status IS NOT NULL THEN
		PERFORM FROM orders.orders WHERE id = NEW.order_id FOR NO KEY UPDATE;
	END IF;
	SELECT o.user_id, json_build_object('id', o.id, 'user_id', o.user_id,
		'status', CASE NEW.new_status WHEN 'pending' THEN o.status ELSE NEW.new_status END,
		'previous_status', NEW.old_status, 'currency', o.currency,
		'total_amount', ops.wire_money(o.total_amount, o.currency),
		'carrier', o.carrier, 'tracking_number', o.tracking_number, 'items', (
			SELECT json_agg(json_build_object('product_id', i.product_id,
				'seller_id', i.seller_id, 'quantity', i.quantity,
				'unit_price', ops.wire_money(i.unit_price, o.currency)) ORDER BY i.id)
			  FROM orders.item i WHERE i.order_id = o.id))
	  INTO buyer, data FROM orders.orders o WHERE o.id = NEW.order_id;
	PERFORM ops.event_add('order.' || CASE NEW.new_status WHEN 'pending' THEN 'placed'
			ELSE NEW.new_status END, 'orders/' || NEW.order_id, data);
	IF template IS NOT NULL THEN
		PERFORM orders.mail_buyer(template, buyer, NEW.order_id, 'history:' || NEW.id,
			jsonb_build_object('status', NEW.new_status));
	END IF;
	RETURN NULL;
END $$;
-- An order is placed with its stock reserved, so that 'confirmed' is no news.
CREATE CONSTRAINT TRIGGER tell_history AFTER INSERT ON orders.history
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.new_status <> 'confirmed')
	EXECUTE FUNCTION orders.history_told();

CREATE FUNCTION payments.event_data(p payments.payment, p_amount bigint, p_stripe_id text)
RETURNS json LANGUAGE sql STABLE
RETURN json_build_object('id', p.id, 'order_id', p.order_id, 'user_id', p.user_id,
	'status', p.status, 'currency', p.currency,
	'amount', ops.wire_money(p_amount, p.currency),
	'refund_amount', ops.wire_money(p.refund_amount, p.currency), 'stripe_id', p_stripe_id,
	'error_code', p.error_code);

-- Money has moved.
CREATE FUNCTION payments.ledger_told() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	p payments.payment;
BEGIN
	SELECT * INTO p FROM payments.payment WHERE order_id = NEW.order_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	PERFORM ops.event_add('payment.' || CASE NEW.kind WHEN 'capture' THEN 'succeeded'
			WHEN 'refund' THEN 'refunded' WHEN 'refund_reversal' THEN 'refund_failed'
			WHEN 'dispute' THEN 'disputed' WHEN 'dispute_reversal' THEN 'dispute_won'
			ELSE NEW.kind END,
		'payments/' || p.id, payments.event_data(p, NEW.amount, NEW.stripe_id));
	IF NEW.kind = 'refund' THEN
		PERFORM orders.mail_buyer('order_refund', p.user_id, p.order_id,
			'ledger:' || NEW.id, jsonb_build_object('ledger', NEW.id));
	END IF;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER tell_ledger AFTER INSERT ON payments.ledger
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments.ledger_told();

CREATE FUNCTION payments.failure_told() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	PERFORM ops.event_add('payment.failed', 'payments/' || NEW.id,
		payments.event_data(NEW, NEW.amount, NEW.stripe_payment_intent_id));
	RETURN NULL;
END $$;
-- The same decline is told of more than once; another reason is another decline.
CREATE TRIGGER tell_failure AFTER UPDATE OF status ON payments.payment
	FOR EACH ROW WHEN (NEW.status = 'failed' AND (OLD.status, OLD.error_code, OLD.error_message)
		IS DISTINCT FROM (NEW.status, NEW.error_code, NEW.error_message))
	EXECUTE FUNCTION payments.failure_told();

--
-- The catalog.  Stock is a subject of its own: it moves under another lock than
-- its product changes.
--

CREATE FUNCTION catalog.low_stock_told() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	PERFORM ops.event_add('stock.low', 'stock/' || NEW.product_id,
		json_build_object('product_id', NEW.product_id, 'seller_id', p.seller_id,
			'available', NEW.available, 'threshold', NEW.threshold))
	   FROM catalog.product p WHERE p.id = NEW.product_id;
	RETURN NULL;
END $$;
CREATE TRIGGER tell_event AFTER INSERT ON catalog.low_stock
	FOR EACH ROW EXECUTE FUNCTION catalog.low_stock_told();

CREATE FUNCTION catalog.product_told() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	PERFORM ops.event_add('product.' || CASE WHEN TG_OP = 'INSERT' THEN 'created'
			WHEN NEW.deleted_at IS NOT NULL THEN 'deleted' ELSE 'updated' END,
		'products/' || NEW.id,
		json_build_object('id', NEW.id, 'seller_id', NEW.seller_id,
			'category_id', NEW.category_id, 'name', NEW.name, 'slug', NEW.slug,
			'sku', NEW.sku, 'currency', NEW.currency,
			'price', ops.wire_money(NEW.price, NEW.currency), 'tags', NEW.tags,
			'is_active', NEW.is_active, 'is_featured', NEW.is_featured,
			'image_url', NEW.image_url));
	RETURN NULL;
END $$;
CREATE TRIGGER tell_created AFTER INSERT ON catalog.product
	FOR EACH ROW EXECUTE FUNCTION catalog.product_told();
-- Not what follows from other events: the rating, and whether there is stock.
CREATE TRIGGER tell_changed AFTER UPDATE ON catalog.product
	FOR EACH ROW WHEN ((OLD.category_id, OLD.name, OLD.slug, OLD.description, OLD.currency,
		OLD.price, OLD.compare_at_price, OLD.sku, OLD.barcode, OLD.weight, OLD.image_url,
		OLD.images, OLD.tags, OLD.is_active, OLD.is_featured, OLD.deleted_at)
		IS DISTINCT FROM (NEW.category_id, NEW.name, NEW.slug, NEW.description, NEW.currency,
		NEW.price, NEW.compare_at_price, NEW.sku, NEW.barcode, NEW.weight, NEW.image_url,
		NEW.images, NEW.tags, NEW.is_active, NEW.is_featured, NEW.deleted_at))
	EXECUTE FUNCTION catalog.product_told();

CREATE FUNCTION catalog.review_told() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	r catalog.review := coalesce(NEW, OLD);
BEGIN
	PERFORM ops.event_add('review.' || CASE TG_OP WHEN 'INSERT' THEN 'created'
			WHEN 'DELETE' THEN 'deleted' ELSE 'updated' END,
		'reviews/' || r.id,
		json_build_object('id', r.id, 'product_id', r.product_id, 'user_id', r.user_id,
			'rating', r.rating, 'is_verified_purchase', r.is_verified_purchase,
			'is_hidden', r.hidden_at IS NOT NULL));
	RETURN NULL;
END $$;
CREATE TRIGGER tell_event AFTER INSERT OR DELETE OR UPDATE OF rating, title, comment, hidden_at
	ON catalog.review FOR EACH ROW EXECUTE FUNCTION catalog.review_told();

--
-- Accounts.
--

CREATE FUNCTION users.account_told() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	PERFORM ops.event_add(CASE TG_OP WHEN 'INSERT' THEN 'user.registered' ELSE 'user.erased' END,
		'users/' || NEW.id, json_build_object('id', NEW.id, 'role', NEW.role));
	RETURN NULL;
END $$;
CREATE TRIGGER tell_registered AFTER INSERT ON users.account
	FOR EACH ROW EXECUTE FUNCTION users.account_told();
-- Whoever keeps anything by this id has to forget it.
CREATE TRIGGER tell_erased AFTER UPDATE OF erased_at ON users.account
	FOR EACH ROW WHEN (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL)
	EXECUTE FUNCTION users.account_told();

--
-- Mails about orders.  To the buyer's address of now; to nobody once they have
-- left.  An address that nobody has confirmed may be a stranger's, who is not to
-- read what a seller has called his goods: it gets numbers.
--

-- Of the payload {user, order}: whom to tell, and what every such mail says.
CREATE FUNCTION orders.mail_values(p jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT jsonb_build_object('to', a.email, 'order', o.id::text,
		'total', ops.wire_money(o.total_amount, o.currency) || ' ' || o.currency,
		'items', (
			SELECT CASE WHEN a.email_verified
			       THEN string_agg(format('%s x %s: %s %s', i.quantity, i.product_name,
					ops.wire_money(i.total_price, o.currency), o.currency),
					E'\n' ORDER BY i.id)
			       ELSE format('%s %s', sum(i.quantity),
					CASE sum(i.quantity) WHEN 1 THEN 'article' ELSE 'articles' END)
			       END
			  FROM orders.item i WHERE i.order_id = o.id))
	  FROM orders.orders o JOIN users.account a ON a.id = o.user_id AND a.is_active
	 WHERE o.id = (p ->> 'order')::bigint AND a.id = (p ->> 'user')::bigint);
END $$;

CREATE FUNCTION mail.order_confirmation(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN orders.mail_values(p) || (
		SELECT jsonb_build_object(
			'subtotal', ops.wire_money(o.subtotal, o.currency),
			'tax', ops.wire_money(o.tax_amount, o.currency),
			'shipping', ops.wire_money(o.shipping_cost, o.currency),
			'discount', ops.wire_money(o.discount_amount, o.currency))
		  FROM orders.orders o WHERE o.id = (p ->> 'order')::bigint);
END $$;

-- Payload: also status.
CREATE FUNCTION mail.order_status(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN orders.mail_values(p) || jsonb_build_object('news', CASE p ->> 'status'
		WHEN 'processing' THEN 'is being packed'
		WHEN 'delivered' THEN 'has been delivered' END);
END $$;

CREATE FUNCTION mail.order_shipped(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN orders.mail_values(p) || (
		SELECT jsonb_build_object('carrier', coalesce(o.carrier, 'not known'),
			'tracking', coalesce(o.tracking_number, 'none'))
		  FROM orders.orders o WHERE o.id = (p ->> 'order')::bigint);
END $$;

CREATE FUNCTION mail.order_cancelled(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN orders.mail_values(p);
END $$;

-- Payload: also ledger.
CREATE FUNCTION mail.order_refund(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN orders.mail_values(p) || (
		SELECT jsonb_build_object(
			'amount', ops.wire_money(l.amount, l.currency) || ' ' || l.currency,
			'extent', CASE WHEN l.amount = y.amount THEN 'all' ELSE 'a part' END)
		  FROM payments.ledger l JOIN payments.payment y ON y.order_id = l.order_id
		 WHERE l.id = (p ->> 'ledger')::bigint);
END $$;

--
-- Jobs: so many of a kind at once, in all processes together, and nobody asks
-- for jobs in vain.
--

CREATE TRIGGER tell_added AFTER INSERT ON ops.job
	FOR EACH ROW EXECUTE FUNCTION ops.wake_others('jobs');
CREATE TRIGGER tell_hurried AFTER UPDATE OF run_at ON ops.job
	FOR EACH ROW WHEN (NEW.run_at < OLD.run_at OR (NEW.run_at IS NOT NULL AND OLD.run_at IS NULL))
	EXECUTE FUNCTION ops.wake_others('jobs');

CREATE INDEX job_running ON ops.job (kind, run_at) WHERE state = 'running';

-- How many more of a kind may run, p_most at once.  Until the caller commits
-- nobody else counts, so that two never take the last place.
CREATE FUNCTION ops.job_room(p_kind text, p_most integer) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock('ops.job'::regclass::oid::integer, hashtext(p_kind));
	RETURN p_most - (SELECT count(*) FROM ops.job j
	                  WHERE j.kind = p_kind AND j.state = 'running' AND j.run_at > now());
END $$;

-- Takes up to p_limit jobs that are due, the highest priority and then the
-- longest due first; of p_kinds[i] no more than p_most[i] run at once, null being
-- any number.  late_us: how long this one has been due.
CREATE FUNCTION ops.job_claim(p_kinds text[], p_most integer[], p_limit integer, p_owner text,
	p_lease_s integer)
RETURNS TABLE (id bigint, kind text, payload jsonb, epoch integer, attempt integer,
	created_at timestamptz, late_us bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
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
	       (extract(epoch FROM now() - c.due) * 1000000)::bigint
	  FROM unnest(claimed, due) WITH ORDINALITY c (id, due, place)
	  JOIN ops.job j ON j.id = c.id
	 WHERE j.id = ANY (claimed) ORDER BY c.place;
END $$;
DROP FUNCTION ops.job_claim(text[], integer, text, integer);

-- How long the job that has waited longest is due, 0 of none, and in how long the
-- next is, null of none; in milliseconds.
CREATE FUNCTION ops.job_clock() RETURNS TABLE (oldest_due_ms bigint, next_due_ms bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY SELECT greatest(0, max(-j.in_ms)), min(greatest(0, j.in_ms))
	  FROM (SELECT (extract(epoch FROM n.run_at - now()) * 1000)::bigint AS in_ms
	          FROM unnest(ARRAY[2, 1, 0, -1, -2]::smallint[]) level
	         CROSS JOIN LATERAL (
	                SELECT w.run_at FROM ops.job w
	                 WHERE w.priority = level AND w.run_at IS NOT NULL
	                 ORDER BY w.run_at LIMIT 1) n) j;
END $$;
DROP FUNCTION ops.job_oldest_due_ms();

GRANT EXECUTE ON FUNCTION ops.job_claim(text[], integer[], integer, text, integer),
	ops.job_clock() TO souk_cron;

--
-- Sagas: nobody asks for them in vain either.
--

CREATE TRIGGER tell_begun AFTER INSERT ON orders.saga
	FOR EACH ROW EXECUTE FUNCTION ops.wake_others('sagas');
-- Most alarms are only put off.
CREATE TRIGGER tell_hurried AFTER UPDATE OF wake_at ON orders.saga
	FOR EACH ROW WHEN (NEW.wake_at < OLD.wake_at OR (NEW.wake_at IS NOT NULL AND OLD.wake_at IS NULL))
	EXECUTE FUNCTION ops.wake_others('sagas');

-- In how many milliseconds the next alarm rings; null: there is none.
CREATE FUNCTION orders.saga_next_ms() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN (SELECT greatest(0, extract(epoch FROM s.wake_at - now()) * 1000)::bigint
	          FROM orders.saga s WHERE s.wake_at IS NOT NULL ORDER BY s.wake_at LIMIT 1);
END $$;
GRANT EXECUTE ON FUNCTION orders.saga_next_ms() TO souk_cron;
