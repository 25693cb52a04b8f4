/*
 * Lists against what a few lines of JavaScript make of the same products: any
 * filters together, every order, by pages and by cursor.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call } from '../lib/client.mjs';
import { seller, unique } from '../lib/shop.mjs';
import { raw, rows, run } from '../lib/sql.mjs';

const letters = () => `m${unique().replace(/[0-9]/g, (digit) => 'ghijklmnop'[digit])}`;
const MARK = letters();
const ORDERS = {
	newest: (a, b) => b.id - a.id,
	price_asc: (a, b) => a.price - b.price || a.id - b.id,
	price_desc: (a, b) => b.price - a.price || b.id - a.id,
	popular: (a, b) => b.sold - a.sold || b.id - a.id,
};
let sellers, shelves, products;
const words = [MARK];

/* Their stock was sold to nobody, which the invariants of others would notice. */
after(() => run`DELETE FROM catalog.product WHERE name ~ ANY (${`{${words}}`})`);

const pick = (from) => from[Math.floor(Math.random() * from.length)];
const maybe = (made) => (Math.random() < 0.4 ? made() : undefined);

before(async () => {
	sellers = [(await seller()).id, (await seller()).id];
	await run`INSERT INTO catalog.category (name, slug) VALUES (${MARK}, ${MARK})`;
	await run`
		INSERT INTO catalog.category (name, slug, parent_id)
		SELECT c.name || n, c.slug || n, c.id FROM catalog.category c, generate_series(1, 3) n
		 WHERE c.slug = ${MARK}`;
	shelves = (await rows`SELECT id FROM catalog.category WHERE slug ~ ${`^${MARK}`}`).map(({ id }) => id);
	await run`
		WITH made AS (
			INSERT INTO catalog.product (seller_id, category_id, name, slug, currency, price, tags,
				is_featured, is_active)
			SELECT CASE WHEN random() < 0.5 THEN ${sellers[0]} ELSE ${sellers[1]} END::bigint,
			       (ARRAY[${raw(shelves.join(', '))}])[1 + floor(random() * 4)::int],
			       ${MARK} || CASE WHEN random() < 0.5 THEN ' kettle' ELSE ' lamp' END,
			       ${MARK} || '-' || md5(random()::text) || n, 'USD', floor(random() * 20) * 100,
			       CASE floor(random() * 4) WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['Red ' || ${MARK}]
				WHEN 2 THEN ARRAY['red ' || ${MARK}, 'RED  ' || ${MARK}, 'blue' || ${MARK}]
				ELSE ARRAY['blue' || ${MARK}] END,
			       random() < 0.3, random() < 0.8
			  FROM generate_series(1, 90) n RETURNING id)
		INSERT INTO catalog.stock (product_id, received, available)
		SELECT id, n, n FROM (SELECT id, CASE WHEN random() < 0.4 THEN 0 ELSE 10 END AS n FROM made) m`;
	/* All that can change what a filter finds. */
	for (const change of ['price = price + 100', 'is_featured = NOT is_featured', 'is_active = NOT is_active',
		`tags = ARRAY['blue${MARK}', 'green${MARK}']`, "tags = '{}'", `category_id = ${shelves[1]}`, `seller_id = ${sellers[0]}`])
		await run`UPDATE catalog.product SET ${raw(change)} WHERE name ~ ${MARK} AND random() < 0.15`;
	await run`
		UPDATE catalog.stock s SET available = 10 - s.available, received = 10 - s.available
		  FROM catalog.product p WHERE p.id = s.product_id AND p.name ~ ${MARK} AND random() < 0.2`;
	await run`
		UPDATE catalog.stock s SET sold = n, received = received + n
		  FROM (SELECT id, floor(random() * 5)::bigint AS n FROM catalog.product WHERE name ~ ${MARK}) p
		 WHERE p.id = s.product_id`;
	products = await rows`
		SELECT p.id, p.seller_id, p.category_id, p.name, p.price, p.folded_tags AS tags, p.is_featured,
		       s.available > 0 AS in_stock, s.sold
		  FROM catalog.product p JOIN catalog.stock s ON s.product_id = p.id
		 WHERE p.is_active AND p.name ~ ${MARK}`;
	assert.ok(products.length > 20);
});

/* One of them at least is only these products'. */
function someFilters() {
	const query = {
		category: maybe(() => pick([MARK, `${MARK}1`, String(shelves[2])])),
		tags: maybe(() => pick([`red ${MARK}`, `Blue${MARK}`, `blue${MARK},RED ${MARK}`, `green${MARK}`])),
		search: maybe(() => pick([MARK, `${MARK} kettles`, `${MARK.slice(0, -1)} lamp`])),
		seller: maybe(() => pick(sellers)),
		minPrice: maybe(() => pick([3, 7, 12])),
		maxPrice: maybe(() => pick([8, 15])),
		featured: maybe(() => pick([true, false])),
		inStock: maybe(() => pick([true, false])),
	};
	if (!query.category && !query.tags && !query.search && !query.seller)
		query.category = MARK;
	return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}

function fits(found, { category, tags, search, seller: owner, minPrice, maxPrice, featured, inStock }) {
	const below = { [MARK]: shelves, [`${MARK}1`]: [shelves[1]], [String(shelves[2])]: [shelves[2]] };
	return (category === undefined || below[category].includes(found.category_id))
	    && (tags === undefined || tags.toLowerCase().split(',').every((tag) => found.tags.includes(tag)))
	    && (search === undefined || !/ (\w+)/.test(search) || found.name.includes(/ (\w{4})/.exec(search)[1]))
	    && (owner === undefined || found.seller_id === owner)
	    && (minPrice === undefined || found.price >= minPrice * 100)
	    && (maxPrice === undefined || found.price <= maxPrice * 100)
	    && (featured === undefined || found.is_featured === featured)
	    && (inStock === undefined || found.in_stock === inStock);
}

const list = async (query) => (await call('GET', `/api/products?${new URLSearchParams(query)}`, { expect: 200 })).json;
const ids = (answer) => answer.products.map(({ id }) => id);

test('any filters together, in every order, find what they should', async () => {
	let found = 0;
	for (let i = 0; i < 60; i++) {
		const query = { ...someFilters(), sortBy: pick(Object.keys(ORDERS)), limit: pick([3, 11]) };
		const expected = products.filter((found) => fits(found, query))
		    .sort(ORDERS[query.sortBy]).map(({ id }) => id);
		const said = JSON.stringify(query);
		const met = [];
		for (let cursor = ''; cursor !== null && met.length <= expected.length;) {
			const answer = await list({ ...query, ...(cursor && { cursor }) });
			assert.equal(answer.pagination.total, expected.length, said);
			met.push(...ids(answer));
			cursor = answer.pagination.next_cursor;
		}
		assert.deepEqual(met, expected, said);
		found += met.length;
		const second = await list({ ...query, page: 2 });
		assert.deepEqual(ids(second), expected.slice(query.limit, 2 * query.limit), said);
		assert.equal(second.pagination.total, expected.length, said);
	}
	assert.ok(found > 0);
});

test('a word that only old products have is found behind all the new ones', async () => {
	const [word, other] = [letters(), letters()];
	words.push(word, other);
	await run`
		WITH made AS (
			INSERT INTO catalog.product (seller_id, name, slug, currency, price)
			SELECT ${sellers[0]}, name, name || '-' || n, 'USD', 100
			  FROM unnest(ARRAY[${word}, ${other}]) WITH ORDINALITY names (name, place), generate_series(1, 300) n
			 ORDER BY place RETURNING id)
		INSERT INTO catalog.stock (product_id, received, available) SELECT id, 1, 1 FROM made`;
	await run`ANALYZE catalog.product`;
	const expected = (await rows`SELECT id FROM catalog.product WHERE name = ${word} ORDER BY id DESC`).map(({ id }) => id);
	const met = [];
	let cursor;
	do {
		const answer = await list({ search: word, limit: 4, ...(cursor && { cursor }) });
		assert.equal(answer.pagination.total, 300);
		met.push(...ids(answer));
		cursor = answer.pagination.next_cursor;
	} while (cursor !== null && met.length < 40);
	assert.deepEqual(met, expected.slice(0, 40));
	assert.deepEqual(ids(await list({ search: word, page: 4, limit: 80 })), expected.slice(240));
});

test('by relevance a search finds the same, and no search is the newest first', async () => {
	const all = products.map(({ id }) => id).sort((a, b) => b - a);
	const found = await list({ search: MARK, sortBy: 'relevance', limit: 100 });
	assert.deepEqual(ids(found).sort((a, b) => b - a), all);
	assert.equal(found.pagination.total, products.length);
	assert.deepEqual(ids(await list({ category: MARK, sortBy: 'relevance', limit: 10 })), all.slice(0, 10));
});

test('what is tagged is what is for sale, whatever was done to it', async () => {
	assert.deepEqual(await rows`
		(SELECT DISTINCT unnest(p.folded_tags) AS tag, p.id, p.price, p.category_id, p.seller_id, p.in_stock, p.is_featured
		   FROM catalog.product p WHERE p.is_active AND p.name ~ ${MARK}
		 EXCEPT SELECT * FROM catalog.tagged)
		UNION ALL
		(SELECT t.* FROM catalog.tagged t JOIN catalog.product p ON p.id = t.id AND p.name ~ ${MARK}
		 EXCEPT SELECT unnest(folded_tags), id, price, category_id, seller_id, in_stock, is_featured
		   FROM catalog.product WHERE is_active)`, []);
});
