-- The demo shop.  What is there already is left as it is, so that a second run
-- changes nothing, not even what has been edited since.
--
-- Run by schema/demo/seed, from the root of the repository.  The bcrypt hashes
-- come from the environment, or as psql variables of the same names in lower
-- case.

\getenv customer_password_hash CUSTOMER_PASSWORD_HASH
\getenv seller_password_hash SELLER_PASSWORD_HASH
\getenv admin_password_hash ADMIN_PASSWORD_HASH
\getenv shop_currency SHOP_CURRENCY
\if :{?shop_currency}
\else
	\set shop_currency USD
\endif

\set ON_ERROR_STOP on
\set QUIET on

BEGIN;

CREATE TEMP TABLE demo_account (email text, password_hash text, first_name text,
	last_name text, role text) ON COMMIT DROP;
INSERT INTO demo_account VALUES
	('customer@souk.example', :'customer_password_hash', 'Yasmin', 'Haddad', 'customer'),
	('seller@souk.example', :'seller_password_hash', 'Idris', 'Benali', 'seller'),
	('admin@souk.example', :'admin_password_hash', 'Leila', 'Mansour', 'admin');

-- A second seed waits here, and then finds everything done.
LOCK TABLE users.account IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO users.account (email, password_hash, first_name, last_name, role, email_verified)
SELECT d.email, d.password_hash, d.first_name, d.last_name, d.role, true
  FROM demo_account d
 WHERE NOT EXISTS (SELECT FROM users.account a WHERE lower(a.email) = d.email);

CREATE TEMP TABLE demo_category (place integer GENERATED ALWAYS AS IDENTITY,
	slug text, name text, description text) ON COMMIT DROP;
\copy demo_category (slug, name, description) FROM 'schema/demo/categories.tsv' WITH (HEADER, NULL '')

INSERT INTO catalog.category (slug, name, description)
SELECT slug, name, description FROM demo_category d
 WHERE NOT EXISTS (SELECT FROM catalog.category c WHERE c.slug = d.slug)
 ORDER BY place;

CREATE TEMP TABLE demo_product (place integer GENERATED ALWAYS AS IDENTITY,
	slug text, category text, motif text, name text, price bigint,
	compare_at_price bigint, cost_per_item bigint, sku text, barcode text,
	weight numeric, stock bigint, is_featured boolean, tags text[],
	description text) ON COMMIT DROP;
\copy demo_product (slug, category, motif, name, price, compare_at_price, cost_per_item, sku, barcode, weight, stock, is_featured, tags, description) FROM 'schema/demo/products.tsv' WITH (HEADER, NULL '')

-- One of each category in turn: the newest page shows the whole market.
WITH ranked AS (
	SELECT d.*, c.id AS category_id, a.id AS seller_id,
	       row_number() OVER (PARTITION BY d.category ORDER BY d.place) AS round
	  FROM demo_product d
	  JOIN catalog.category c ON c.slug = d.category
	  JOIN users.account a ON lower(a.email) = 'seller@souk.example'),
numbered AS (
	SELECT *, row_number() OVER (ORDER BY round, place) AS turn FROM ranked),
added AS (
	INSERT INTO catalog.product (seller_id, category_id, name, slug, description,
		currency, price, compare_at_price, cost_per_item, sku, barcode, weight,
		image_url, images, tags, is_featured, created_at, updated_at)
	SELECT seller_id, category_id, name, slug, description,
	       :'shop_currency', price, compare_at_price, cost_per_item, sku, barcode, weight,
	       '/media/demo/' || slug || '.png', ARRAY['/media/demo/' || slug || '.png'],
	       tags, is_featured, age.at, age.at
	  FROM numbered n,
	       LATERAL (SELECT now() - (100 - turn) * interval '17 hours') age (at)
	 WHERE NOT EXISTS (SELECT FROM catalog.product p
		WHERE p.slug = n.slug OR (p.seller_id = n.seller_id AND p.sku = n.sku))
	 ORDER BY turn
	RETURNING id, slug, seller_id, created_at),
pictured AS (
	INSERT INTO catalog.product_image (product_id, place, url)
	SELECT id, 1, '/media/demo/' || slug || '.png' FROM added),
stocked AS (
	INSERT INTO catalog.stock (product_id, received, available)
	SELECT a.id, d.stock, d.stock FROM added a JOIN demo_product d USING (slug))
INSERT INTO catalog.inventory_log (product_id, change, quantity, balance, reason, changed_by, created_at)
SELECT a.id, d.stock, d.stock, d.stock, 'initial stock', a.seller_id, a.created_at
  FROM added a JOIN demo_product d USING (slug)
 WHERE d.stock > 0
 ORDER BY a.id;

COMMIT;
