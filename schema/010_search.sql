-- Search that holds up at a million products: words are corrected against the
-- shop's own vocabulary before the index is asked, and what lists filter by
-- lies in the product itself.

-- Whether it can be ordered now.  Stock changes with every order; this only
-- when the last unit goes or the first comes, so lists can filter by it
-- without a look at each product's stock.
ALTER TABLE catalog.product ADD COLUMN in_stock boolean NOT NULL DEFAULT false;
UPDATE catalog.product p SET in_stock = true
  FROM catalog.stock s WHERE s.product_id = p.id AND s.available > 0;

CREATE FUNCTION catalog.stock_ran_out_or_came() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE catalog.product SET in_stock = NEW.available > 0
	 WHERE id = NEW.product_id AND in_stock <> (NEW.available > 0);
	RETURN NULL;
END $$;
CREATE TRIGGER stock_came AFTER INSERT ON catalog.stock
	FOR EACH ROW WHEN (NEW.available > 0)
	EXECUTE FUNCTION catalog.stock_ran_out_or_came();
CREATE TRIGGER stock_ran_out_or_came AFTER UPDATE OF available ON catalog.stock
	FOR EACH ROW WHEN ((OLD.available > 0) <> (NEW.available > 0))
	EXECUTE FUNCTION catalog.stock_ran_out_or_came();

-- Tags come back as they were sent, and are looked for as people type them:
-- capitals, spaces and the commas that separate tags in a query do not count.
CREATE FUNCTION catalog.folded_tags(p_tags text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(array_agg(folded), '{}')
	  FROM (SELECT trim(lower(regexp_replace(t, '[[:space:],]+', ' ', 'g'))) AS folded
	          FROM unnest(p_tags) t) tags
	 WHERE folded <> '');
ALTER TABLE catalog.product ADD COLUMN folded_tags text[] NOT NULL
	GENERATED ALWAYS AS (catalog.folded_tags(tags)) STORED;
DROP INDEX catalog.product_tags;
CREATE INDEX product_tags ON catalog.product USING gin (folded_tags);

-- Counting what is for sale, and each order of the list, walks an index.
CREATE INDEX product_active ON catalog.product (id) WHERE is_active;
CREATE INDEX product_featured ON catalog.product (id) WHERE is_active AND is_featured;
CREATE INDEX product_category_price ON catalog.product (category_id, price, id) WHERE is_active;
-- "popular" is by units sold.  Holding stock for an order changes no indexed
-- column and stays a HOT update; only a sale does not.
CREATE INDEX stock_sold ON catalog.stock (sold, product_id);

-- How common a word is decides how a search is best done.
ALTER TABLE catalog.product ALTER COLUMN search SET STATISTICS 1000;

-- Every word that products are found by: the lexemes of their search vectors
-- and, `shown`, the words of names and tags as they are written.  It only
-- grows, and stays small: a million products share some ten thousand words.
CREATE TABLE catalog.search_word (
	word  text COLLATE "C" PRIMARY KEY CHECK (length(word) BETWEEN 2 AND 40),
	shown boolean NOT NULL
);
CREATE INDEX search_word_trigrams ON catalog.search_word
	USING gin (word trigram.gin_trgm_ops);

CREATE FUNCTION catalog.words(p_text text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_split_to_array(trim(regexp_replace(
	lower(p_text), '[^[:alnum:]]+', ' ', 'g')), ' ');

-- In the order of the words, so that two sellers who bring the same new ones
-- never wait for each other.
CREATE FUNCTION catalog.learn_words(p_written text[], p_lexemes text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	INSERT INTO catalog.search_word AS known (word, shown)
	SELECT word COLLATE "C", bool_or(shown)
	  FROM (SELECT unnest(p_written) AS word, true AS shown
		UNION ALL SELECT unnest(p_lexemes), false) w
	 WHERE length(word) BETWEEN 2 AND 40 AND word ~ '[[:alpha:]]'
	   AND NOT EXISTS (SELECT FROM catalog.search_word k
	        WHERE k.word = w.word COLLATE "C" AND (k.shown OR NOT w.shown))
	 GROUP BY 1 ORDER BY 1
	ON CONFLICT (word) DO UPDATE SET shown = true
	 WHERE excluded.shown AND NOT known.shown;
$$;

CREATE FUNCTION catalog.learn_from_product() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	PERFORM catalog.learn_words(
		catalog.words(NEW.name || ' ' || array_to_string(NEW.tags, ' ')),
		tsvector_to_array(NEW.search));
	RETURN NULL;
END $$;
CREATE TRIGGER product_words AFTER INSERT OR UPDATE OF name, tags, description
	ON catalog.product FOR EACH ROW EXECUTE FUNCTION catalog.learn_from_product();
DO $$
BEGIN
	PERFORM catalog.learn_words(
		catalog.words(name || ' ' || array_to_string(tags, ' ')), tsvector_to_array(search))
	  FROM catalog.product;
END $$;

-- What is meant by a word: its stem, all that begins with it, and, when the
-- shop knows neither, the words most like it.  NULL for a word that says
-- nothing ("the").
CREATE FUNCTION catalog.search_word_meant(p_word text) RETURNS tsquery
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
	meant tsquery := to_tsquery('pg_catalog.english', quote_literal(p_word));
	begins tsquery := (quote_literal(p_word) || ':*')::tsquery;
	alike text;
BEGIN
	IF numnode(meant) = 0 THEN
		RETURN NULL;
	END IF;
	IF length(p_word) < 2 THEN
		RETURN meant;
	END IF;
	-- What begins with a word covers the word.
	meant := CASE WHEN meant = quote_literal(p_word)::tsquery THEN begins
		ELSE meant || begins END;
	IF length(p_word) < 4 OR EXISTS (
		SELECT FROM catalog.search_word k
		 WHERE k.word >= p_word COLLATE "C" AND k.word < p_word || U&'\+10FFFF' COLLATE "C")
	    OR EXISTS (SELECT FROM catalog.search_word k
		 WHERE k.word = ANY (tsvector_to_array(to_tsvector('pg_catalog.english', p_word)))) THEN
		RETURN meant;
	END IF;
	FOR alike IN
		SELECT k.word FROM catalog.search_word k
		 WHERE k.word OPERATOR(trigram.%) p_word
		   AND trigram.similarity(k.word, p_word) >= 0.4
		 ORDER BY trigram.similarity(k.word, p_word) DESC, k.word LIMIT 3
	LOOP
		meant := meant || to_tsquery('pg_catalog.english', quote_literal(alike))
			|| quote_literal(alike)::tsquery;
	END LOOP;
	RETURN meant;
END $$;

-- What a search box sends: every word must be there, in any order.  Quotes,
-- "or" and a minus mean what they do in search engines.
CREATE FUNCTION catalog.search_understood(p_words text) RETURNS tsquery
LANGUAGE plpgsql STABLE STRICT SET search_path = '' SET client_min_messages = warning AS $$
DECLARE
	word text;
	meant tsquery;
	whole tsquery;
BEGIN
	IF p_words ~* '"|(^|[[:space:]])-[[:alnum:]]|[[:space:]]or[[:space:]]' THEN
		RETURN websearch_to_tsquery('pg_catalog.english', p_words);
	END IF;
	FOREACH word IN ARRAY (catalog.words(p_words))[1:12] LOOP
		meant := CASE WHEN word <> '' THEN catalog.search_word_meant(left(word, 40)) END;
		whole := CASE WHEN meant IS NULL THEN whole
			WHEN whole IS NULL THEN meant ELSE whole && meant END;
	END LOOP;
	RETURN coalesce(whole, to_tsquery('pg_catalog.simple', ''));
END $$;

-- How many products fit, as the planner's statistics have it: for totals past
-- the 10,000 that are counted.
CREATE FUNCTION catalog.list_estimate(p_categories bigint[], p_seller bigint,
	p_min_price bigint, p_max_price bigint, p_tags text, p_search text,
	p_featured boolean, p_in_stock boolean)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = '' AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE concat_ws(' AND ', 'EXPLAIN (FORMAT JSON)'
		' SELECT FROM catalog.product p WHERE p.is_active',
		'p.category_id = ANY (' || quote_literal(p_categories) || ')',
		'p.seller_id = ' || p_seller,
		'p.price >= ' || p_min_price,
		'p.price <= ' || p_max_price,
		'p.folded_tags @> catalog.folded_tags(string_to_array('
			|| quote_literal(p_tags) || ', '',''))',
		'p.search @@ ' || quote_literal(p_search) || '::tsquery',
		'p.is_featured = ' || p_featured,
		'p.in_stock = ' || p_in_stock)
	INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8::bigint;
END $$;

GRANT SELECT ON catalog.search_word TO souk_catalog;
GRANT EXECUTE ON FUNCTION catalog.folded_tags(text[]), catalog.words(text), catalog.search_word_meant(text),
	catalog.search_understood(text), catalog.list_estimate(bigint[], bigint,
	bigint, bigint, text, text, boolean, boolean) TO souk_catalog;

-- Its place is taken by search_understood().
DROP FUNCTION catalog.search_query(text);
