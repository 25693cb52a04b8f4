-- Categories, products and their stock.  Orders may quote, hold, sell and
-- release stock through functions, and nothing else.

CREATE SCHEMA catalog;
GRANT USAGE ON SCHEMA catalog TO souk_catalog, souk_orders, souk_payments, souk_cron;
-- Trigrams forgive typing errors.
CREATE SCHEMA trigram;
GRANT USAGE ON SCHEMA trigram TO souk_catalog;
CREATE EXTENSION pg_trgm SCHEMA trigram;

CREATE TABLE catalog.category (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	parent_id   bigint REFERENCES catalog.category,
	name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	slug        text NOT NULL UNIQUE,
	description text,
	created_at  timestamptz NOT NULL DEFAULT now(),
	updated_at  timestamptz NOT NULL DEFAULT now()
);

-- The weights rank a word in the name over one in the tags over one in the
-- description.
CREATE FUNCTION catalog.search_vector(name text, tags text[], description text)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(to_tsvector('pg_catalog.english', name), 'A')
	|| setweight(to_tsvector('pg_catalog.english', tags::text), 'B')
	|| setweight(to_tsvector('pg_catalog.english', coalesce(description, '')), 'C');

CREATE TABLE catalog.product (
	id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	seller_id        bigint NOT NULL,
	category_id      bigint REFERENCES catalog.category,
	name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
	slug             text NOT NULL UNIQUE,
	description      text,
	currency         char(3) NOT NULL,
	price            bigint NOT NULL CHECK (price >= 0),
	compare_at_price bigint CHECK (compare_at_price >= 0),
	cost_per_item    bigint CHECK (cost_per_item >= 0),
	sku              text,
	barcode          text,
	weight           numeric(12, 3) CHECK (weight >= 0),
	image_url        text,
	images           text[] NOT NULL DEFAULT '{}',
	tags             text[] NOT NULL DEFAULT '{}',
	is_active        boolean NOT NULL DEFAULT true,
	is_featured      boolean NOT NULL DEFAULT false,
	rating_average   numeric(3, 2) NOT NULL DEFAULT 0,
	rating_count     integer NOT NULL DEFAULT 0,
	created_at       timestamptz NOT NULL DEFAULT now(),
	updated_at       timestamptz NOT NULL DEFAULT now(),
	search           tsvector GENERATED ALWAYS AS
	                 (catalog.search_vector(name, tags, description)) STORED
);
CREATE UNIQUE INDEX product_sku ON catalog.product (seller_id, sku);
CREATE INDEX product_category ON catalog.product (category_id, id) WHERE is_active;
CREATE INDEX product_seller ON catalog.product (seller_id, id);
CREATE INDEX product_price ON catalog.product (price, id) WHERE is_active;
CREATE INDEX product_tags ON catalog.product USING gin (tags);
CREATE INDEX product_search ON catalog.product USING gin (search);
CREATE INDEX product_name_trigrams ON catalog.product
	USING gin (name trigram.gin_trgm_ops);

-- Every unit ever received is available, reserved by an unpaid order, or
-- sold.  Apart from product, so that the hottest rows are small and their
-- updates touch no index.
CREATE TABLE catalog.stock (
	product_id bigint PRIMARY KEY REFERENCES catalog.product ON DELETE CASCADE,
	received   bigint NOT NULL,
	available  bigint NOT NULL CHECK (available >= 0),
	reserved   bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
	sold       bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
	CONSTRAINT stock_conserved CHECK (available + reserved + sold = received)
) WITH (fillfactor = 50);

CREATE TABLE catalog.inventory_log (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	product_id bigint NOT NULL REFERENCES catalog.product ON DELETE CASCADE,
	change     bigint NOT NULL,
	reason     text NOT NULL,
	changed_by bigint,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inventory_log_product ON catalog.inventory_log (product_id, id);

-- The wire object `product`, for anyone.
CREATE VIEW catalog.product_wire AS
SELECT p.id, p.seller_id, p.currency, p.category_id, c.name AS category_name,
       p.name, p.slug, p.description,
       ops.wire_money(p.price, p.currency) AS price,
       ops.wire_money(p.compare_at_price, p.currency) AS compare_at_price,
       s.available AS stock_quantity, p.sku, p.barcode, p.weight::text AS weight,
       p.image_url, p.images, p.tags, p.is_active, p.is_featured,
       p.rating_average::text AS rating_average, p.rating_count,
       ops.wire_time(p.created_at) AS created_at,
       ops.wire_time(p.updated_at) AS updated_at
  FROM catalog.product p
  JOIN catalog.stock s ON s.product_id = p.id
  LEFT JOIN catalog.category c ON c.id = p.category_id;

-- ... and for its seller and admins.
CREATE VIEW catalog.product_wire_seller AS
SELECT w.*, ops.wire_money(p.cost_per_item, p.currency) AS cost_per_item
  FROM catalog.product_wire w JOIN catalog.product p USING (id);

-- A category by id or slug, and all below it.
CREATE FUNCTION catalog.category_subtree(p_category text) RETURNS bigint[]
LANGUAGE sql STABLE AS $$
	WITH RECURSIVE below AS (
		SELECT id FROM catalog.category
		 WHERE slug = p_category OR id::text = p_category
		UNION
		SELECT c.id FROM catalog.category c JOIN below b ON c.parent_id = b.id)
	SELECT coalesce(array_agg(id), '{}') FROM below;
$$;

-- Words in any order, the last one as a prefix: what a search box sends.
CREATE FUNCTION catalog.search_query(p_words text) RETURNS tsquery
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT coalesce(exact || prefix, exact)
	  FROM (SELECT websearch_to_tsquery('pg_catalog.english', p_words) AS exact,
		(SELECT to_tsquery('pg_catalog.simple',
			string_agg(quote_literal(word) || ':*', ' & '))
		   FROM regexp_split_to_table(lower(p_words), '[^[:alnum:]]+') word
		  WHERE word <> '') AS prefix) q;
$$;

-- The slug of a name; with p_numbered one that nobody else has.
CREATE FUNCTION catalog.product_slug(p_name text, p_numbered boolean) RETURNS text
LANGUAGE sql VOLATILE AS $$
	SELECT coalesce(nullif(trim(BOTH '-' FROM regexp_replace(
		lower(p_name), '[^a-z0-9]+', '-', 'g')), ''), 'product')
	    || CASE WHEN p_numbered THEN '-' || substr(md5(random()::text), 1, 10) ELSE '' END;
$$;

-- For orders: name, price and seller of what may be ordered.
CREATE FUNCTION catalog.quote(p_products bigint[])
RETURNS TABLE (product_id bigint, seller_id bigint, name text, sku text,
	price bigint, currency char(3))
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	RETURN QUERY
	SELECT p.id, p.seller_id, p.name, p.sku, p.price, p.currency
	  FROM catalog.product p WHERE p.id = ANY (p_products) AND p.is_active;
END
$$;

-- Available to reserved, all or nothing.  Rows are locked in the order of
-- their ids, so that two orders never wait for each other.
CREATE FUNCTION catalog.hold(p_products bigint[], p_quantities bigint[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	held bigint[];
BEGIN
	WITH locked AS MATERIALIZED (
		SELECT s.product_id, w.quantity
		  FROM catalog.stock s
		  JOIN unnest(p_products, p_quantities) w (product_id, quantity) USING (product_id)
		 ORDER BY s.product_id FOR NO KEY UPDATE OF s),
	moved AS (
		UPDATE catalog.stock s
		   SET available = s.available - l.quantity, reserved = s.reserved + l.quantity
		  FROM locked l
		 WHERE s.product_id = l.product_id AND s.available >= l.quantity
		RETURNING s.product_id)
	SELECT coalesce(array_agg(product_id), '{}') INTO held FROM moved;
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

-- Reserved to sold.
CREATE FUNCTION catalog.sell(p_products bigint[], p_quantities bigint[])
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	WITH locked AS MATERIALIZED (
		SELECT s.product_id, w.quantity
		  FROM catalog.stock s
		  JOIN unnest(p_products, p_quantities) w (product_id, quantity) USING (product_id)
		 ORDER BY s.product_id FOR NO KEY UPDATE OF s)
	UPDATE catalog.stock s
	   SET reserved = s.reserved - l.quantity, sold = s.sold + l.quantity
	  FROM locked l WHERE s.product_id = l.product_id;
$$;

-- Reserved back to available.
CREATE FUNCTION catalog.release(p_products bigint[], p_quantities bigint[])
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	WITH locked AS MATERIALIZED (
		SELECT s.product_id, w.quantity
		  FROM catalog.stock s
		  JOIN unnest(p_products, p_quantities) w (product_id, quantity) USING (product_id)
		 ORDER BY s.product_id FOR NO KEY UPDATE OF s)
	UPDATE catalog.stock s
	   SET reserved = s.reserved - l.quantity, available = s.available + l.quantity
	  FROM locked l WHERE s.product_id = l.product_id;
$$;

GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA catalog TO souk_catalog;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA catalog TO souk_catalog;
GRANT EXECUTE ON FUNCTION catalog.quote(bigint[]),
	catalog.hold(bigint[], bigint[]), catalog.sell(bigint[], bigint[]),
	catalog.release(bigint[], bigint[]) TO souk_orders;
