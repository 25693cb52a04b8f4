-- Pictures: what is stored, which of it products show, and what nobody shows
-- any more.

CREATE SCHEMA media;
GRANT USAGE ON SCHEMA media TO souk_catalog, souk_cron;

-- The object store that needs nothing else to run.  What is in it has been
-- compressed as far as it goes.
CREATE TABLE media.object (
	key        text PRIMARY KEY,
	bytes      bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE media.object ALTER bytes SET STORAGE EXTERNAL;
GRANT SELECT, INSERT ON media.object TO souk_catalog;
GRANT SELECT (key), DELETE ON media.object TO souk_cron;

-- A picture is some files in the object store, whichever that is, and is
-- written down here before the first of them is put there: so what is there
-- can be found from here, whoever dies in between.  Its hash is that of all
-- its files; the id in their keys makes a picture that went and came again
-- another one, and what is deleted under the old keys is never the new one's.
CREATE TABLE media.picture (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	hash         text NOT NULL UNIQUE CHECK (hash ~ '^[0-9a-f]{32}$'),
	files        jsonb NOT NULL,	-- [{"name": "1200.jpg", "width": 1200, "height": 800}, ...]
	unused_since timestamptz DEFAULT now()	-- null: some product shows it
);
CREATE INDEX picture_unused ON media.picture (unused_since) WHERE unused_since IS NOT NULL;
GRANT SELECT, INSERT, UPDATE ON media.picture TO souk_catalog;
GRANT SELECT, UPDATE, DELETE ON media.picture TO souk_cron;

CREATE FUNCTION media.key(p_picture media.picture, p_file text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (p_picture).hash || '-' || (p_picture).id || '-' || p_file;

-- Files of pictures that are no more, to be deleted from the object store.
CREATE TABLE media.garbage (
	key           text PRIMARY KEY,
	claimed_until timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX garbage_claims ON media.garbage (claimed_until);
GRANT SELECT, INSERT, UPDATE, DELETE ON media.garbage TO souk_cron;

-- What a product shows, in its order.  The reference is what keeps a picture:
-- one that is shown cannot be deleted.
CREATE TABLE catalog.product_image (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	product_id bigint NOT NULL REFERENCES catalog.product ON DELETE CASCADE,
	place      bigint NOT NULL,
	picture_id bigint REFERENCES media.picture,	-- null: a file of the demo shop
	url        text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT product_image_place UNIQUE (product_id, place) DEFERRABLE
);
CREATE INDEX product_image_picture ON catalog.product_image (picture_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.product_image TO souk_catalog;

INSERT INTO catalog.product_image (product_id, place, url)
SELECT p.id, i.place, i.url
  FROM catalog.product p, unnest(p.images) WITH ORDINALITY i (url, place)
 ORDER BY p.id, i.place;

-- The product's own list follows.
CREATE FUNCTION catalog.images_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE catalog.product p
	   SET images = l.urls, image_url = l.urls[1], updated_at = now()
	  FROM (SELECT c.product_id, coalesce(array_agg(i.url ORDER BY i.place)
	               FILTER (WHERE i.id IS NOT NULL), '{}') AS urls
	          FROM (SELECT DISTINCT product_id FROM changed) c
	          LEFT JOIN catalog.product_image i USING (product_id)
	         GROUP BY c.product_id) l
	 WHERE p.id = l.product_id AND p.images <> l.urls;
	RETURN NULL;
END $$;
CREATE TRIGGER image_added AFTER INSERT ON catalog.product_image
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION catalog.images_changed();
CREATE TRIGGER image_moved AFTER UPDATE ON catalog.product_image
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION catalog.images_changed();
CREATE TRIGGER image_removed AFTER DELETE ON catalog.product_image
	REFERENCING OLD TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION catalog.images_changed();

-- Of two products that stop showing one picture at once, the second sees what
-- the first has done: both lock the picture before they look.
CREATE FUNCTION catalog.picture_dropped() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	PERFORM FROM media.picture WHERE id = OLD.picture_id FOR UPDATE;
	UPDATE media.picture SET unused_since = now()
	 WHERE id = OLD.picture_id AND NOT EXISTS (
		SELECT FROM catalog.product_image WHERE picture_id = OLD.picture_id);
	RETURN NULL;
END $$;
CREATE TRIGGER picture_dropped AFTER DELETE ON catalog.product_image
	FOR EACH ROW WHEN (OLD.picture_id IS NOT NULL)
	EXECUTE FUNCTION catalog.picture_dropped();

-- A stored picture becomes the last one of a product.  The caller's
-- Idempotency-Key, if there is one, is spent in the same transaction.
CREATE FUNCTION catalog.show_picture(p_product bigint, p_picture bigint, p_most integer,
	p_user bigint, p_is_admin boolean, p_key text, p_fingerprint text)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	picture media.picture;
	image bigint;
BEGIN
	PERFORM FROM catalog.product
	  WHERE id = p_product AND (p_is_admin OR seller_id = p_user) FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'not_found' USING ERRCODE = 'SK000';
	END IF;
	IF (SELECT count(*) FROM catalog.product_image WHERE product_id = p_product) >= p_most THEN
		RAISE EXCEPTION 'too_many_images' USING ERRCODE = 'SK000';
	END IF;
	UPDATE media.picture SET unused_since = NULL WHERE id = p_picture RETURNING * INTO picture;
	IF NOT FOUND THEN	-- stored so slowly that it was collected meanwhile
		RAISE EXCEPTION 'unavailable' USING ERRCODE = 'SK000';
	END IF;
	INSERT INTO catalog.product_image (product_id, place, picture_id, url)
	SELECT p_product, 1 + coalesce(max(place), 0), p_picture,
	       '/media/' || media.key(picture, picture.files -> 0 ->> 'name')
	  FROM catalog.product_image WHERE product_id = p_product
	RETURNING id INTO image;
	IF p_key IS NOT NULL THEN
		PERFORM ops.idempotency_begin(p_user, p_key, p_fingerprint, 'image ' || image);
	END IF;
	RETURN image;
END $$;

-- The wire object `image`.
CREATE VIEW catalog.product_image_wire AS
SELECT i.product_id, i.place, i.id, i.url AS "imageUrl",
       (p.files -> 0 ->> 'width')::integer AS width,
       (p.files -> 0 ->> 'height')::integer AS height,
       coalesce((SELECT json_agg(json_build_object(
			'url', '/media/' || media.key(p, f ->> 'name'),
			'type', CASE WHEN f ->> 'name' LIKE '%.webp' THEN 'image/webp' ELSE 'image/jpeg' END,
			'width', (f ->> 'width')::integer, 'height', (f ->> 'height')::integer)
			ORDER BY place)
		FROM jsonb_array_elements(p.files) WITH ORDINALITY e (f, place)),
		'[]') AS renditions
  FROM catalog.product_image i
  LEFT JOIN media.picture p ON p.id = i.picture_id;
GRANT SELECT ON catalog.product_image_wire TO souk_catalog;

GRANT EXECUTE ON FUNCTION media.key(media.picture, text) TO souk_catalog, souk_cron;
GRANT EXECUTE ON FUNCTION catalog.show_picture(bigint, bigint, integer, bigint, boolean,
	text, text) TO souk_catalog;
