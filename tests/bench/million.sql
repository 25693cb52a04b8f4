-- A catalogue of :products products for the scale bench, on top of what is
-- there: names put together of real words, four hundred categories of very
-- unequal size, prices as shops have them.  Random, but the same every time.

\set ON_ERROR_STOP on
\set QUIET on
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
SET client_min_messages = warning;
-- What is made here fits together: no trigger need look at each row.
SET session_replication_role = replica;
SELECT setseed(0.42) \g /dev/null

CREATE TEMP TABLE word (kind text, words text[]);
INSERT INTO word VALUES
	('look', '{Amber,Ancient,Antique,Arched,Ashen,Azure,Beaded,Bold,Braided,Bright,Brushed,Burnished,Carved,Charcoal,Classic,Coastal,Coral,Crimson,Dusky,Emerald,Engraved,Faded,Fine,Fluted,Folded,Fringed,Gilded,Glazed,Golden,Hammered,Heavy,Indigo,Inlaid,Ivory,Jade,Knotted,Lacquered,Layered,Light,Lofty,Matte,Midnight,Mosaic,Nomad,Ochre,Olive,Painted,Pale,Patterned,Pearl,Plain,Pleated,Polished,Quilted,Raw,Ribbed,Rose,Round,Rustic,Saffron,Sandy,Scarlet,Silken,Slender,Smoked,Soft,Speckled,Striped,Sunlit,Tall,Tasselled,Tinted,Turquoise,Twisted,Velvet,Violet,Warm,Weathered,White,Wide,Winter,Woven}'),
	('stuff', '{Acacia,Alabaster,Alpaca,Bamboo,Bone,Brass,Bronze,Camel,Canvas,Cashmere,Cedar,Ceramic,Clay,Copper,Cork,Cotton,Ebony,Felt,Flax,Glass,Goatskin,Granite,Hemp,Horn,Iron,Jute,Lace,Leather,Linen,Marble,Merino,Mohair,Oak,Onyx,Palm,Paper,Pewter,Pine,Porcelain,Raffia,Rattan,Rosewood,Sheepskin,Silk,Silver,Slate,Steel,Stone,Straw,Suede,Tadelakt,Teak,Terracotta,Thuya,Tin,Walnut,Wicker,Willow,Wool,Zellige}'),
	('thing', '{Apron,Armchair,Bag,Basin,Basket,Bath,Beaker,Bedspread,Belt,Bench,Blanket,Board,Bottle,Bowl,Box,Bracelet,Brazier,Brooch,Brush,Bucket,Cabinet,Candle,Caftan,Carafe,Carpet,Case,Cauldron,Chair,Chandelier,Chest,Clock,Cloth,Coaster,Comb,Cover,Cradle,Crate,Cup,Curtain,Cushion,Dagger,Decanter,Desk,Dish,Doll,Door,Drum,Earrings,Fan,Flask,Flute,Frame,Fork,Garland,Glove,Goblet,Grinder,Hammock,Hanging,Hat,Holder,Hook,Incense,Jar,Jewel,Jug,Kettle,Knife,Ladle,Lamp,Lantern,Lid,Lute,Mat,Mirror,Mortar,Mug,Napkin,Necklace,Notebook,Ottoman,Oud,Pan,Pendant,Pillow,Pitcher,Plate,Platter,Pot,Pouch,Pouffe,Purse,Quilt,Rack,Ring,Robe,Rug,Runner,Sandals,Saucer,Scarf,Screen,Shawl,Shelf,Slippers,Soap,Spoon,Stand,Stool,Strainer,Table,Tagine,Tapestry,Teapot,Throw,Tile,Towel,Tray,Trivet,Trunk,Tumbler,Urn,Vase,Vest,Wallet,Wrap}'),
	('place', '{Agadir,Aleppo,Alexandria,Almaty,Amman,Antakya,Asfi,Baghdad,Basra,Beirut,Bukhara,Bursa,Cairo,Chefchaouen,Damascus,Doha,Essaouira,Fes,Ghardaia,Granada,Herat,Isfahan,Istanbul,Izmir,Izmit,Jaipur,Jeddah,Kairouan,Kashan,Kashgar,Khiva,Konya,Kutahya,Lahore,Luxor,Marrakesh,Mashhad,Meknes,Merv,Mosul,Multan,Muscat,Nabeul,Nizwa,Ouarzazate,Petra,Qom,Rabat,Riyadh,Safi,Salalah,Samarkand,Sanaa,Sfax,Shiraz,Sousse,Tabriz,Tangier,Taroudant,Tashkent,Tetouan,Tiznit,Tripoli,Tunis,Urfa,Yazd,Zagora,Zanzibar}'),
	('tag', '{gift,handmade,kitchen,table,home,garden,bath,bedroom,travel,wedding,classic,summer,winter,sale,new,fairtrade,organic,natural,vintage,set,small,large,light,outdoor,children}'),
	('talk', '{made,by,hand,in,a,small,workshop,each,piece,differs,from,the,next,washed,dried,sun,fired,twice,colour,deep,edge,finished,stitch,family,generations,market,travels,well,lasts,years,gentle,everyday,use,guests,evening,tea,coffee,bread,spice,water,oil,warmth,pattern,garden,mountain,river,desert,courtyard,shade,light,careful,packed,returned,month,maker,signed,numbered,limited,season,harvest}');

INSERT INTO catalog.category (name, slug, description, parent_id)
SELECT 'Section ' || n, 'section-' || n, NULL, NULL FROM generate_series(1, 20) n;
INSERT INTO catalog.category (name, slug, description, parent_id)
SELECT 'Shelf ' || n, 'shelf-' || n, NULL, c.id
  FROM generate_series(1, 380) n
  JOIN catalog.category c ON c.slug = 'section-' || (n % 20 + 1);

-- Indexes are made at once afterwards, which takes a quarter of the time.
CREATE TEMP TABLE kept_index AS
SELECT indexdef, format('%I.%I', schemaname, indexname) AS name
  FROM pg_indexes WHERE schemaname = 'catalog' AND tablename IN ('product', 'tagged')
   AND indexname NOT IN ('product_pkey', 'product_slug_key', 'product_sku', 'tagged_pkey');
SELECT 'DROP INDEX ' || name FROM kept_index \gexec

CREATE FUNCTION pg_temp.pick(p_kind text) RETURNS text LANGUAGE sql VOLATILE
RETURN (SELECT words[1 + floor(random() * cardinality(words))::int] FROM word WHERE kind = p_kind);

WITH shelf AS (
	SELECT array_agg(id ORDER BY id) AS ids FROM catalog.category WHERE slug LIKE 'shelf-%'),
made AS (
	SELECT n,
	       pg_temp.pick('look') || ' ' || pg_temp.pick('stuff') || ' ' || pg_temp.pick('thing')
	       || CASE WHEN random() < 0.3 THEN ' of ' || pg_temp.pick('place') ELSE '' END AS name,
	       -- The first shelf has some thirty thousand times what the last has.
	       s.ids[1 + floor(power(random(), 3) * cardinality(s.ids))::int] AS category_id,
	       (100 * round(power(10, 0.5 + 2.5 * random())) - 1)::bigint AS price
	  FROM generate_series(1, :products) n, shelf s)
INSERT INTO catalog.product (seller_id, category_id, name, slug, currency, price,
	tags, is_featured, in_stock, description)
SELECT (SELECT id FROM users.account WHERE lower(email) = 'seller@souk.example') + n % 2000,
       category_id, name, 'item-' || n, 'USD', price,
       ARRAY[pg_temp.pick('tag'), pg_temp.pick('tag')], n % 50 = 0, n % 17 <> 0,
       (SELECT string_agg(pg_temp.pick('talk'), ' ') FROM generate_series(1, 12 + n % 12))
  FROM made;
INSERT INTO catalog.stock (product_id, received, available, sold)
SELECT p.id, 1000, CASE WHEN p.in_stock THEN 900 - p.id % 800 ELSE 0 END,
       CASE WHEN p.in_stock THEN 100 + p.id % 800 ELSE 1000 END
  FROM catalog.product p
 WHERE p.slug LIKE 'item-%';
INSERT INTO catalog.tagged
SELECT DISTINCT unnest(folded_tags), id, price, category_id, seller_id, in_stock, is_featured
  FROM catalog.product WHERE slug LIKE 'item-%';

SELECT indexdef FROM kept_index \gexec
SELECT catalog.learn_words(
	(SELECT array_agg(DISTINCT lower(w)) FROM word, unnest(words) w WHERE kind <> 'talk'),
	(SELECT array_agg(word) FROM ts_stat('SELECT search FROM catalog.product'))) \g /dev/null
VACUUM (ANALYZE) catalog.product, catalog.tagged, catalog.stock, catalog.category, catalog.search_word;
