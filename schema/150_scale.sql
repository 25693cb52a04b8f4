-- Lists that hold up at a million products: a statement for each shape of
-- filter, planned for the values it has, over indexes that answer without a
-- look at the products themselves.

-- What lists filter by lies in the indexes that they walk and count by.  A
-- product's stock running out is then a change to them; its sales are not.
DROP INDEX catalog.product_active, catalog.product_featured, catalog.product_category,
	catalog.product_category_price, catalog.product_price, catalog.product_seller;
CREATE INDEX product_active ON catalog.product (id)
	INCLUDE (price, category_id, in_stock, is_featured) WHERE is_active;
CREATE INDEX product_featured ON catalog.product (id)
	INCLUDE (price, category_id, in_stock) WHERE is_active AND is_featured;
CREATE INDEX product_sold_out ON catalog.product (id)
	INCLUDE (price, category_id, is_featured) WHERE is_active AND NOT in_stock;
CREATE INDEX product_category ON catalog.product (category_id, id)
	INCLUDE (price, in_stock, is_featured) WHERE is_active;
CREATE INDEX product_category_price ON catalog.product (category_id, price, id)
	INCLUDE (in_stock, is_featured) WHERE is_active;
CREATE INDEX product_price ON catalog.product (price, id)
	INCLUDE (category_id, in_stock, is_featured) WHERE is_active;
CREATE INDEX product_seller ON catalog.product (seller_id, id)
	INCLUDE (is_active, price, category_id, in_stock, is_featured);

-- What was written and is not yet sorted in is read by every search: little.
ALTER INDEX catalog.product_search SET (gin_pending_list_limit = 256);
ALTER INDEX catalog.product_tags SET (gin_pending_list_limit = 256);
-- Typing errors are forgiven by way of search_word.
DROP INDEX catalog.product_name_trigrams;

-- What is for sale, once for each of its tags, with what lists filter by: so a
-- tag is walked and counted like a category.  A trigger keeps it so, whoever
-- writes a product; it is named as product is, for the same conditions.
CREATE TABLE catalog.tagged (
	tag         text NOT NULL,
	id          bigint NOT NULL,
	price       bigint NOT NULL,
	category_id bigint,
	seller_id   bigint NOT NULL,
	in_stock    boolean NOT NULL,
	is_featured boolean NOT NULL,
	PRIMARY KEY (tag, id) INCLUDE (price, category_id, seller_id, in_stock, is_featured)
);
CREATE FUNCTION catalog.tag_product() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	IF TG_OP <> 'INSERT' THEN
		DELETE FROM catalog.tagged t WHERE t.tag = ANY (OLD.folded_tags) AND t.id = OLD.id;
	END IF;
	IF TG_OP <> 'DELETE' AND NEW.is_active THEN
		INSERT INTO catalog.tagged (tag, id, price, category_id, seller_id, in_stock, is_featured)
		SELECT DISTINCT unnest(NEW.folded_tags), NEW.id, NEW.price, NEW.category_id,
		       NEW.seller_id, NEW.in_stock, NEW.is_featured;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER tag_new AFTER INSERT OR DELETE ON catalog.product
	FOR EACH ROW EXECUTE FUNCTION catalog.tag_product();
CREATE TRIGGER tag_changed AFTER UPDATE ON catalog.product
	FOR EACH ROW WHEN ((OLD.folded_tags, OLD.price, OLD.category_id, OLD.seller_id,
		OLD.in_stock, OLD.is_featured, OLD.is_active)
		IS DISTINCT FROM (NEW.folded_tags, NEW.price, NEW.category_id, NEW.seller_id,
		NEW.in_stock, NEW.is_featured, NEW.is_active))
	EXECUTE FUNCTION catalog.tag_product();
INSERT INTO catalog.tagged
SELECT DISTINCT unnest(folded_tags), id, price, category_id, seller_id, in_stock, is_featured
  FROM catalog.product WHERE is_active;
CREATE INDEX tagged_price ON catalog.tagged (tag, price, id)
	INCLUDE (category_id, in_stock, is_featured);
CREATE INDEX tagged_featured ON catalog.tagged (tag, id)
	INCLUDE (price, category_id, in_stock) WHERE is_featured;
GRANT SELECT ON catalog.tagged TO souk_catalog;

-- The vocabulary knows how every lexeme begins, of the longest the first forty
-- letters: so a search knows which words no other begins like.
CREATE OR REPLACE FUNCTION catalog.learn_words(p_written text[], p_lexemes text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	INSERT INTO catalog.search_word AS known (word, shown)
	SELECT word COLLATE "C", bool_or(shown)
	  FROM (SELECT unnest(p_written) AS word, true AS shown
		UNION ALL SELECT left(unnest(p_lexemes), 40), false) w
	 WHERE length(word) BETWEEN 2 AND 40 AND word ~ '[[:alpha:]]'
	   AND NOT EXISTS (SELECT FROM catalog.search_word k
	        WHERE k.word = w.word COLLATE "C" AND (k.shown OR NOT w.shown))
	 GROUP BY 1 ORDER BY 1
	ON CONFLICT (word) DO UPDATE SET shown = true
	 WHERE excluded.shown AND NOT known.shown;
$$;
SELECT catalog.learn_words('{}', array_agg(word))
  FROM ts_stat('SELECT search FROM catalog.product') WHERE length(word) > 40;

-- What is meant by a word: its stem, all that begins with it, and, when the
-- shop knows neither, the words most like it.  NULL for a word that says
-- nothing ("the").  A beginning costs the index several times what a word does,
-- so it is asked for only where something goes on from it.
CREATE OR REPLACE FUNCTION catalog.search_word_meant(p_word text) RETURNS tsquery
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
	meant tsquery := to_tsquery('pg_catalog.english', quote_literal(p_word));
	begins tsquery;
	goes_on boolean;
	alike text;
BEGIN
	IF numnode(meant) = 0 THEN
		RETURN NULL;
	END IF;
	IF length(p_word) < 2 THEN
		RETURN meant;
	END IF;
	goes_on := length(p_word) >= 40 OR p_word !~ '[[:alpha:]]' OR EXISTS (
		SELECT FROM catalog.search_word k
		 WHERE k.word > p_word COLLATE "C" AND k.word < p_word || U&'\+10FFFF' COLLATE "C");
	-- What begins with a word covers the word.
	begins := (quote_literal(p_word) || CASE WHEN goes_on THEN ':*' ELSE '' END)::tsquery;
	meant := CASE WHEN meant = quote_literal(p_word)::tsquery THEN begins
		ELSE meant || begins END;
	IF length(p_word) < 4 OR goes_on OR EXISTS (
		SELECT FROM catalog.search_word k
		 WHERE k.word = p_word COLLATE "C"
		    OR k.word = ANY (tsvector_to_array(to_tsvector('pg_catalog.english', p_word)))) THEN
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

-- The products that fit the filters that were given: what follows a FROM.
CREATE FUNCTION catalog.list_of(p_categories bigint[], p_seller bigint,
	p_min_price bigint, p_max_price bigint, p_tags text[], p_search tsquery,
	p_featured boolean, p_in_stock boolean)
RETURNS text LANGUAGE sql STABLE
RETURN CASE WHEN p_search IS NULL AND cardinality(p_tags) > 0
	THEN 'catalog.tagged p WHERE ' || (
		SELECT string_agg(CASE place WHEN 1 THEN 'p.tag = ' || quote_literal(tag)
			ELSE 'EXISTS (SELECT FROM catalog.tagged t WHERE t.id = p.id AND t.tag = '
				|| quote_literal(tag) || ')' END, ' AND ')
		  FROM unnest(p_tags) WITH ORDINALITY tags (tag, place))
	ELSE concat_ws(' AND ', 'catalog.product p WHERE p.is_active',
		'p.folded_tags @> ' || quote_literal(p_tags),
		'p.search @@ ' || quote_literal(p_search) || '::tsquery') END
	|| concat(CASE cardinality(p_categories) WHEN 1 THEN ' AND p.category_id = ' || p_categories[1]
		ELSE ' AND p.category_id = ANY (' || quote_literal(p_categories) || ')' END,
	' AND p.seller_id = ' || p_seller,
	' AND p.price >= ' || p_min_price,
	' AND p.price <= ' || p_max_price,
	' AND p.is_featured = ' || p_featured,
	' AND p.in_stock = ' || p_in_stock);

-- How many they are, as the planner's statistics have it.
DROP FUNCTION catalog.list_estimate(bigint[], bigint, bigint, bigint, text, text,
	boolean, boolean);
CREATE FUNCTION catalog.list_estimate(p_list text)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM ' || p_list INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8::bigint;
END $$;

-- How many they are.  Past 10,000 that is an estimate; and where there is one
-- condition alone and the statistics speak of just that, nobody need count.
CREATE FUNCTION catalog.list_count(p_list text, p_is_known boolean,
	OUT total bigint, OUT is_estimate boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF p_is_known THEN
		total := catalog.list_estimate(p_list);
		is_estimate := total > 15000;
	END IF;
	IF is_estimate IS NOT TRUE THEN
		EXECUTE 'SELECT count(*) FROM (SELECT FROM ' || p_list || ' LIMIT 10001) few' INTO total;
		is_estimate := total > 10000;
		IF is_estimate THEN
			total := greatest(total, catalog.list_estimate(p_list));
		END IF;
	END IF;
END $$;

-- The newest of them before p_before, and how well p_words fit each.  What a
-- word has is looked for among as many of the newest products as it should
-- take, and among ten times as many where it does not.
CREATE FUNCTION catalog.list_newest(p_list text, p_words tsquery, p_before bigint,
	p_count bigint, OUT ids bigint[], OUT ranks bigint[])
LANGUAGE plpgsql STABLE SET search_path = ''
SET seq_page_cost = 0.2 SET random_page_cost = 0.25 SET work_mem = '16MB' AS $$
DECLARE
	before bigint := coalesce(p_before, (SELECT max(id) + 1 FROM catalog.product));
	likely float8 := catalog.list_estimate(p_list);
	reach float8 := before / greatest(likely, 1) * (p_count + 6 * sqrt(p_count));
BEGIN
	LOOP
		-- Walked in order, or found and sorted; past all bounds only that.
		EXECUTE 'WITH fit AS ' || CASE WHEN reach < before THEN 'NOT ' ELSE '' END ||
			'MATERIALIZED (SELECT p.id, p.search FROM ' || p_list ||
			'   AND p.id < $1 AND p.id > $2)'
			' SELECT array_agg(n.id), array_agg(coalesce((1e6 * ts_rank(n.search, $4))::bigint, 0))'
			'   FROM (SELECT * FROM fit ORDER BY id DESC LIMIT $3) n'
		INTO ids, ranks USING before, (before - least(reach, before))::bigint, p_count, p_words;
		EXIT WHEN cardinality(ids) = p_count OR reach >= before;
		reach := reach * 10;
	END LOOP;
END $$;

-- A page in an order that has an index.  Categories, where there are several,
-- are walked each by itself and brought together: however a shop's goods came
-- into it, none is walked past for those of another.
CREATE FUNCTION catalog.list_walk(p_order text, p_list text, p_categories bigint[],
	p_after_value bigint, p_after_id bigint, p_limit bigint, p_skip bigint,
	OUT ids bigint[], OUT ranks bigint[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
	way record;
BEGIN
	SELECT o.* INTO STRICT way FROM (VALUES
		('newest',     '0',       'p.id < $2',                        'p.id DESC'),
		('price_asc',  'p.price', '(p.price, p.id) > ($1, $2)',       'p.price, p.id'),
		('price_desc', 'p.price', '(p.price, p.id) < ($1, $2)',       'p.price DESC, p.id DESC'),
		('popular',    's.sold',  '(s.sold, s.product_id) < ($1, $2)',
			's.sold DESC, s.product_id DESC')) o (name, value, follows, sorted)
	 WHERE o.name = p_order;
	IF p_after_id IS NOT NULL THEN
		p_list := p_list || ' AND ' || way.follows;
	END IF;
	IF p_order = 'popular' THEN
		p_list := 'catalog.stock s, ' || p_list || ' AND s.product_id = p.id';
	END IF;
	IF p_categories IS NOT NULL THEN
		p_list := format('unnest($5) c (id), LATERAL (SELECT p.id, p.price FROM %s'
			' AND p.category_id = c.id ORDER BY %s LIMIT $3 + $4) p', p_list, way.sorted);
	END IF;
	EXECUTE format('SELECT array_agg(n.id), array_agg(n.value) FROM ('
		'SELECT p.id, %s AS value FROM %s ORDER BY %s LIMIT $3 OFFSET $4) n',
		way.value, p_list, way.sorted)
	INTO ids, ranks USING p_after_value, p_after_id, p_limit, p_skip, p_categories;
END $$;

-- A page of the list: its products, what the next page goes on from, and how
-- many there are in all.  p_after is "value_id" of the last product seen, by
-- the value that p_order orders by.
CREATE FUNCTION catalog.list_page(p_order text, p_category text, p_seller bigint,
	p_min_price bigint, p_max_price bigint, p_tags text, p_search text,
	p_featured boolean, p_in_stock boolean, p_after text, p_limit bigint, p_skip bigint,
	OUT ids bigint[], OUT next_after text, OUT total bigint, OUT is_estimate boolean)
LANGUAGE plpgsql STABLE SET search_path = ''
-- What is asked for all the time is in memory.
SET seq_page_cost = 0.2 SET random_page_cost = 0.25 SET work_mem = '16MB' AS $$
DECLARE
	most_ranked constant bigint := 400;
	after_value bigint := split_part(p_after, '_', 1);
	after_id bigint := split_part(p_after, '_', 2);
	wanted bigint := p_limit + 1;	-- one more says whether there is another page
	categories bigint[] := CASE WHEN p_category IS NOT NULL
		THEN catalog.category_subtree(p_category) END;
	tags text[] := CASE WHEN p_tags IS NOT NULL
		THEN catalog.folded_tags(string_to_array(p_tags, ',')) END;
	words tsquery := catalog.search_understood(p_search);
	list text := catalog.list_of(categories, p_seller, p_min_price, p_max_price, tags, words,
		p_featured, p_in_stock);
	apart bigint[] := CASE WHEN cardinality(categories) > 1 AND tags IS NULL AND words IS NULL
		AND p_order <> 'popular' THEN categories END;
	ranks bigint[];
BEGIN
	IF p_order = 'relevance' AND words IS NOT NULL THEN
		-- Of a common word there are too many to rank: the newest of it are.
		SELECT n.ids, n.ranks INTO ids, ranks
		  FROM catalog.list_newest(list, words, NULL, most_ranked) n;
		IF coalesce(cardinality(ids), 0) < most_ranked THEN
			total := coalesce(cardinality(ids), 0);
		END IF;
		SELECT array_agg(id), array_agg(rank) INTO ids, ranks FROM (
			SELECT id, rank FROM unnest(ids, ranks) u (id, rank)
			 WHERE p_after IS NULL OR (rank, id) < (after_value, after_id)
			 ORDER BY rank DESC, id DESC LIMIT wanted OFFSET p_skip) best;
	ELSIF p_order IN ('newest', 'relevance') AND words IS NOT NULL THEN
		SELECT n.ids[p_skip + 1:], n.ranks[p_skip + 1:] INTO ids, ranks
		  FROM catalog.list_newest(list, NULL, after_id, p_skip + wanted) n;
	ELSE
		SELECT w.ids, w.ranks INTO ids, ranks FROM catalog.list_walk(
			replace(p_order, 'relevance', 'newest'),
			CASE WHEN apart IS NULL THEN list ELSE catalog.list_of(NULL, p_seller,
				p_min_price, p_max_price, NULL, NULL, p_featured, p_in_stock) END,
			apart, after_value, after_id, wanted, p_skip) w;
	END IF;
	ids := coalesce(ids, '{}');

	-- A list that ends here has been counted.
	IF total IS NULL AND p_after IS NULL AND cardinality(ids) < wanted
	    AND (cardinality(ids) > 0 OR p_skip = 0) THEN
		total := p_skip + cardinality(ids);
	END IF;
	is_estimate := false;
	IF total IS NULL THEN
		SELECT c.total, c.is_estimate INTO total, is_estimate FROM catalog.list_count(list,
			p_search !~ '[[:space:]"]' AND num_nulls(p_category, p_seller, p_min_price,
				p_max_price, p_tags, p_featured, p_in_stock) = 7) c;
	END IF;
	IF cardinality(ids) = wanted THEN
		next_after := ranks[p_limit] || '_' || ids[p_limit];
		ids := ids[:p_limit];
	END IF;
END $$;

GRANT EXECUTE ON FUNCTION catalog.list_of(bigint[], bigint, bigint, bigint, text[], tsquery,
		boolean, boolean),
	catalog.list_estimate(text),
	catalog.list_count(text, boolean),
	catalog.list_newest(text, tsquery, bigint, bigint),
	catalog.list_walk(text, text, bigint[], bigint, bigint, bigint, bigint),
	catalog.list_page(text, text, bigint, bigint, bigint, text, text, boolean, boolean,
		text, bigint, bigint) TO souk_catalog;
