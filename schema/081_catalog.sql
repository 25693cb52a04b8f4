-- The catalog, complete: products that change and go, a tree of categories
-- without cycles, a log of every unit of stock, reviews.

--
-- Products.
--

-- What is deleted is gone for everybody, but orders and the inventory log
-- still speak of it.  Its SKU is free again.
ALTER TABLE catalog.product
	ADD deleted_at timestamptz,
	ADD rating_sum bigint NOT NULL DEFAULT 0,
	ADD CONSTRAINT deleted_is_not_for_sale CHECK (deleted_at IS NULL OR NOT is_active);
DROP INDEX catalog.product_sku;
CREATE UNIQUE INDEX product_sku ON catalog.product (seller_id, sku) WHERE deleted_at IS NULL;

-- Tags as they were sent, in that order, but for repetitions and what says
-- nothing.
CREATE FUNCTION catalog.distinct_tags(p_tags text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(array_agg(tag ORDER BY place), '{}')
	  FROM (SELECT DISTINCT ON (catalog.folded_tags(ARRAY[t])) t AS tag, place
	          FROM unnest(p_tags) WITH ORDINALITY u (t, place)
	         WHERE cardinality(catalog.folded_tags(ARRAY[t])) > 0
	         ORDER BY catalog.folded_tags(ARRAY[t]), place) firsts);

-- A name for the address of a page.
CREATE FUNCTION catalog.slug_of(p_name text, p_otherwise text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT coalesce(nullif(trim(BOTH '-' FROM regexp_replace(
		lower(p_name), '[^a-z0-9]+', '-', 'g')), ''), p_otherwise);
$$;
CREATE OR REPLACE FUNCTION catalog.product_slug(p_name text, p_numbered boolean) RETURNS text
LANGUAGE sql VOLATILE AS $$
	SELECT catalog.slug_of(p_name, 'product')
	    || CASE WHEN p_numbered THEN '-' || substr(md5(random()::text), 1, 10) ELSE '' END;
$$;

--
-- Categories.
--

CREATE INDEX category_parent ON catalog.category (parent_id);
-- For a category that goes: whatever is, or was, in it.
CREATE INDEX product_in_category ON catalog.product (category_id);

-- The first free one of spices, spices-2, spices-3 ...  A slug is never only
-- digits: the list of products finds a category by id or slug.
CREATE FUNCTION catalog.add_category(p_name text, p_description text, p_parent bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	base text := catalog.slug_of(p_name, 'category');
	made bigint;
BEGIN
	IF base ~ '^[0-9]+$' THEN
		base := 'category-' || base;
	END IF;
	FOR n IN 1..1000000 LOOP
		INSERT INTO catalog.category (name, slug, description, parent_id)
		VALUES (p_name, base || CASE WHEN n > 1 THEN '-' || n ELSE '' END,
			p_description, p_parent)
		ON CONFLICT (slug) DO NOTHING RETURNING id INTO made;
		EXIT WHEN made IS NOT NULL;
	END LOOP;
	RETURN made;
END $$;

-- Two moves that are right one by one may make a cycle together.  So there is
-- one at a time, and each sees what those before it have done.
CREATE FUNCTION catalog.category_moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	PERFORM pg_advisory_xact_lock('catalog.category'::regclass::oid::bigint);
	IF EXISTS (
		WITH RECURSIVE above AS (
			SELECT NEW.parent_id AS id
			UNION
			SELECT c.parent_id FROM catalog.category c JOIN above a ON c.id = a.id)
		SELECT FROM above WHERE id = NEW.id) THEN
		RAISE EXCEPTION 'category_cycle' USING ERRCODE = 'SK000';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER no_cycles BEFORE UPDATE OF parent_id ON catalog.category
	FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL AND NEW.parent_id IS DISTINCT FROM OLD.parent_id)
	EXECUTE FUNCTION catalog.category_moved();

-- The wire object `category`.
CREATE VIEW catalog.category_wire AS
SELECT id, parent_id, name, slug, description,
       ops.wire_time(created_at) AS created_at,
       ops.wire_time(updated_at) AS updated_at
  FROM catalog.category;

--
-- Stock.
--

-- The log tells how every unit came and went: `change` is what it did to what
-- can be ordered, `balance` what could be after it, `quantity` the units that
-- moved.  A person's entry has a reason, an order's the order.
ALTER TABLE catalog.inventory_log
	ADD kind text NOT NULL DEFAULT 'adjusted'
		CHECK (kind IN ('adjusted', 'reserved', 'released', 'sold')),
	ADD quantity bigint,
	ADD balance bigint,
	ADD order_id bigint,
	ALTER reason DROP NOT NULL;
UPDATE catalog.inventory_log l SET quantity = abs(l.change), balance = b.balance
  FROM (SELECT id, sum(change) OVER (PARTITION BY product_id ORDER BY id) AS balance
          FROM catalog.inventory_log) b
 WHERE b.id = l.id;
-- What orders did before the log was told of it, in one entry a product.
INSERT INTO catalog.inventory_log (product_id, change, quantity, balance, reason)
SELECT s.product_id, s.available - l.balance, abs(s.available - l.balance), s.available,
       'earlier orders'
  FROM catalog.stock s,
       LATERAL (SELECT coalesce(sum(change), 0) AS balance
                  FROM catalog.inventory_log g WHERE g.product_id = s.product_id) l
 WHERE s.available <> l.balance;
ALTER TABLE catalog.inventory_log
	ALTER quantity SET NOT NULL,
	ALTER balance SET NOT NULL,
	ADD CONSTRAINT somebody_had_a_reason CHECK ((kind = 'adjusted') = (reason IS NOT NULL)),
	ADD CONSTRAINT balance_is_not_negative CHECK (balance >= 0);

ALTER TABLE catalog.stock
	ADD low_stock_threshold bigint CHECK (low_stock_threshold >= 0);

-- Stock that has come down to its threshold, once for each time it did.
CREATE TABLE catalog.low_stock (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	product_id bigint NOT NULL REFERENCES catalog.product ON DELETE CASCADE,
	available  bigint NOT NULL,
	threshold  bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX low_stock_product ON catalog.low_stock (product_id, id);

-- Whatever moves stock, in the transaction that does.  The seller has a mail,
-- but not more than one a day however often orders come and go.
CREATE FUNCTION catalog.stock_is_low() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	event bigint;
BEGIN
	INSERT INTO catalog.low_stock (product_id, available, threshold)
	VALUES (NEW.product_id, NEW.available, NEW.low_stock_threshold) RETURNING id INTO event;
	PERFORM ops.job_add('mail',
		jsonb_build_object('template', 'low_stock', 'user', p.seller_id, 'low_stock', event),
		format('low_stock:%s:%s', p.id, current_date))
	   FROM catalog.product p WHERE p.id = NEW.product_id AND p.deleted_at IS NULL;
	RETURN NULL;
END $$;
CREATE TRIGGER tell_low_stock AFTER UPDATE OF available ON catalog.stock
	FOR EACH ROW WHEN (NEW.available <= NEW.low_stock_threshold
		AND OLD.available > NEW.low_stock_threshold)
	EXECUTE FUNCTION catalog.stock_is_low();

-- Payload: user, low_stock.  Only to an address that is known to be theirs: the
-- mail has words of their own choosing.
CREATE FUNCTION mail.low_stock(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT jsonb_build_object('to', a.email, 'name', d.name,
		'available', l.available::text, 'threshold', l.threshold::text)
	  FROM catalog.low_stock l
	  JOIN catalog.product d ON d.id = l.product_id AND d.deleted_at IS NULL
	  JOIN users.account a ON a.id = d.seller_id AND a.is_active AND a.email_verified
	 WHERE l.id = (p ->> 'low_stock')::bigint AND a.id = (p ->> 'user')::bigint);
END $$;

-- A person changes what can be ordered: goods come, break, are counted.
CREATE FUNCTION catalog.adjust_stock(p_product bigint, p_change bigint, p_reason text,
	p_by bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	left_over bigint;
BEGIN
	UPDATE catalog.stock SET received = received + p_change, available = available + p_change
	 WHERE product_id = p_product AND available + p_change >= 0
	RETURNING available INTO left_over;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'insufficient_stock' USING ERRCODE = 'SK000',
			HINT = 'There are not that many to take away',
			DETAIL = (
				SELECT json_build_object('products', json_build_array(json_build_object(
					'product_id', p.id, 'name', p.name,
					'requested', -p_change, 'available', s.available)))
				  FROM catalog.product p JOIN catalog.stock s ON s.product_id = p.id
				 WHERE p.id = p_product);
	END IF;
	INSERT INTO catalog.inventory_log (product_id, kind, quantity, change, balance,
		reason, changed_by)
	VALUES (p_product, 'adjusted', abs(p_change), p_change, left_over, p_reason, p_by);
END $$;

-- The same by what shall be left, whoever orders meanwhile.
CREATE FUNCTION catalog.set_stock(p_product bigint, p_available bigint, p_reason text,
	p_by bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	there bigint;
BEGIN
	SELECT available INTO there FROM catalog.stock
	 WHERE product_id = p_product FOR NO KEY UPDATE;
	IF there <> p_available THEN
		PERFORM catalog.adjust_stock(p_product, p_available - there, p_reason, p_by);
	END IF;
END $$;

-- An order moves stock, and tells the log: 'reserved' from available, then
-- 'sold', or 'released' back.  The products that it could move.  Rows are
-- locked in the order of their ids, so that two orders never wait for each
-- other.
CREATE FUNCTION catalog.move_stock(p_kind text, p_products bigint[], p_quantities bigint[],
	p_order bigint)
RETURNS bigint[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	to_available integer := CASE p_kind WHEN 'reserved' THEN -1 WHEN 'released' THEN 1 ELSE 0 END;
	to_reserved integer := CASE p_kind WHEN 'reserved' THEN 1 ELSE -1 END;
	to_sold integer := CASE p_kind WHEN 'sold' THEN 1 ELSE 0 END;
	could bigint[];
BEGIN
	WITH locked AS MATERIALIZED (
		SELECT s.product_id, w.quantity
		  FROM catalog.stock s
		  JOIN unnest(p_products, p_quantities) w (product_id, quantity) USING (product_id)
		 ORDER BY s.product_id FOR NO KEY UPDATE OF s),
	moved AS (
		UPDATE catalog.stock s
		   SET available = s.available + to_available * l.quantity,
		       reserved = s.reserved + to_reserved * l.quantity,
		       sold = s.sold + to_sold * l.quantity
		  FROM locked l
		 WHERE s.product_id = l.product_id AND s.available + to_available * l.quantity >= 0
		RETURNING s.product_id, s.available, l.quantity),
	logged AS (
		INSERT INTO catalog.inventory_log (product_id, kind, quantity, change, balance, order_id)
		SELECT product_id, p_kind, quantity, to_available * quantity, available, p_order
		  FROM moved)
	SELECT coalesce(array_agg(product_id), '{}') INTO could FROM moved;
	RETURN could;
END $$;

-- Available to reserved, all or nothing.
CREATE FUNCTION catalog.hold(p_products bigint[], p_quantities bigint[], p_order bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	held bigint[] := catalog.move_stock('reserved', p_products, p_quantities, p_order);
BEGIN
	IF cardinality(held) < cardinality(p_products) THEN
		RAISE EXCEPTION 'insufficient_stock' USING ERRCODE = 'SK000',
			DETAIL = (
				SELECT json_build_object('products', json_agg(json_build_object(
					'product_id', p.id, 'name', p.name,
					'requested', w.quantity, 'available', s.available)
					ORDER BY p.id))
				  FROM unnest(p_products, p_quantities) w (product_id, quantity)
				  JOIN catalog.stock s USING (product_id)
				  JOIN catalog.product p ON p.id = w.product_id
				 WHERE w.product_id <> ALL (held));
	END IF;
END $$;

-- The functions of orders, saying which order it is.
CREATE OR REPLACE FUNCTION orders.move_lines(p_order bigint, p_to text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	products bigint[];
	quantities bigint[];
BEGIN
	WITH moved AS (
		UPDATE orders.item SET reservation = p_to
		 WHERE order_id = p_order AND reservation = 'held'
		RETURNING product_id, quantity)
	SELECT array_agg(product_id), array_agg(quantity)
	  INTO products, quantities FROM moved;
	IF products IS NOT NULL THEN
		PERFORM catalog.move_stock(p_to, products, quantities, p_order);
	END IF;
END $$;
DO $$
DECLARE
	edit record;
	caller regprocedure;
BEGIN
	FOR edit IN SELECT * FROM (VALUES
		('catalog.hold(products, quantities)', 'catalog.hold(products, quantities, new_order)'),
		('catalog.hold(array_agg(product_id), array_agg(quantity))',
		 'catalog.hold(array_agg(product_id), array_agg(quantity), p_order)')) e (old, new)
	LOOP
		SELECT oid INTO STRICT caller FROM pg_proc
		 WHERE pronamespace = 'orders'::regnamespace AND position(edit.old IN prosrc) > 0;
		EXECUTE replace(pg_get_functiondef(caller), edit.old, edit.new);
	END LOOP;
END $$;
DROP FUNCTION catalog.hold(bigint[], bigint[]), catalog.sell(bigint[], bigint[]),
	catalog.release(bigint[], bigint[]);

--
-- Reviews.
--

-- For the catalog: has the user paid for the product, and kept it?
CREATE FUNCTION orders.has_bought(p_user bigint, p_product bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN EXISTS (
		SELECT FROM orders.orders o JOIN orders.item i ON i.order_id = o.id
		 WHERE o.user_id = p_user AND i.product_id = p_product AND i.reservation = 'sold'
		   AND o.status IN ('paid', 'processing', 'shipped', 'delivered'));
END $$;

-- A hidden one is neither shown nor counted.
CREATE TABLE catalog.review (
	id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	product_id           bigint NOT NULL REFERENCES catalog.product ON DELETE CASCADE,
	user_id              bigint NOT NULL,
	rating               smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
	title                text,
	comment              text,
	is_verified_purchase boolean NOT NULL,
	hidden_at            timestamptz,
	created_at           timestamptz NOT NULL DEFAULT now(),
	updated_at           timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT one_by_a_user UNIQUE (product_id, user_id)
);
CREATE INDEX review_of_product ON catalog.review (product_id, id);
CREATE INDEX review_of_user ON catalog.review (user_id);

-- The product's average is kept by adding and taking away, under the lock of
-- its row: no review is missed, however many come at once.
CREATE FUNCTION catalog.review_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	was smallint := CASE WHEN OLD.hidden_at IS NULL THEN OLD.rating END;
	now_is smallint := CASE WHEN NEW.hidden_at IS NULL THEN NEW.rating END;
	more integer := (now_is IS NOT NULL)::integer - (was IS NOT NULL)::integer;
	higher integer := coalesce(now_is, 0) - coalesce(was, 0);
BEGIN
	IF more <> 0 OR higher <> 0 THEN
		UPDATE catalog.product p
		   SET rating_count = p.rating_count + more, rating_sum = p.rating_sum + higher,
		       rating_average = coalesce(round((p.rating_sum + higher)::numeric
				/ nullif(p.rating_count + more, 0), 2), 0)
		 WHERE p.id = coalesce(NEW.product_id, OLD.product_id);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER count_rating AFTER INSERT OR DELETE OR UPDATE OF rating, hidden_at
	ON catalog.review FOR EACH ROW EXECUTE FUNCTION catalog.review_changed();

-- The wire object `review`.
CREATE VIEW catalog.review_wire AS
SELECT id, product_id, user_id, rating, title, comment, is_verified_purchase,
       hidden_at IS NOT NULL AS is_hidden,
       ops.wire_time(created_at) AS created_at,
       ops.wire_time(updated_at) AS updated_at
  FROM catalog.review;

-- What a user has here, and what goes with them: also what they thought.
CREATE OR REPLACE FUNCTION catalog.user_export(p_user bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT json_build_object('products', coalesce((
		SELECT json_agg(w ORDER BY w.id) FROM catalog.product_wire_seller w
		 WHERE w.seller_id = p_user), '[]'),
		'reviews', coalesce((
		SELECT json_agg(r ORDER BY r.id) FROM catalog.review_wire r
		 WHERE r.user_id = p_user), '[]'));
$$;
CREATE OR REPLACE FUNCTION catalog.user_erase(p_user bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	UPDATE catalog.product SET is_active = false, updated_at = now()
	 WHERE seller_id = p_user AND is_active;
	DELETE FROM catalog.review WHERE user_id = p_user;
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.review, catalog.category TO souk_catalog;
GRANT SELECT ON catalog.category_wire, catalog.review_wire TO souk_catalog;
GRANT EXECUTE ON FUNCTION catalog.distinct_tags(text[]), catalog.slug_of(text, text),
	catalog.add_category(text, text, bigint),
	catalog.adjust_stock(bigint, bigint, text, bigint),
	catalog.set_stock(bigint, bigint, text, bigint) TO souk_catalog;
GRANT USAGE ON SCHEMA orders TO souk_catalog;
GRANT EXECUTE ON FUNCTION orders.has_bought(bigint, bigint) TO souk_catalog;
