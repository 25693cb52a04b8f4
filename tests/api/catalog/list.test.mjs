import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { before, test } from 'node:test';
import { call, newAddress, refuseFields } from '../../lib/client.mjs';
import { assertMembers, assertPagination, assertProduct, cents, customer, product, seller, unique } from '../../lib/shop.mjs';
import { rows, run, value } from '../../lib/sql.mjs';

const PATH = '/api/products';
const WORD = `zanzibar${unique()}`;
let owner;
let stall;	/* the products of this file's own seller, oldest first */

const list = async (query) => (await call('GET', `${PATH}?${new URLSearchParams(query)}`, { expect: 200 })).json;
const mine = (query = {}) => list({ seller: owner.id, ...query });
const ids = (answer) => answer.products.map((found) => found.id);
/* A query nobody has sent before, whose answer nothing changes. */
const nothing = () => `${PATH}?minPrice=99999${randomInt(100000, 999999)}.${randomInt(10, 99)}&limit=3`;
const all = () => stall.map((made) => made.id);

before(async () => {
	owner = await seller();
	const [category, other] = await rows`SELECT id FROM catalog.category ORDER BY id LIMIT 2`;
	stall = [];
	for (let i = 0; i < 23; i++)
		stall.push(await product(owner, {
			name: i % 5 === 0 ? `${WORD} carpet ${i}` : `Copper kettle ${i} ${unique()}`,
			description: i === 7 ? `Woven beside a ${WORD}` : 'Made by hand',
			price: `${10 + (i * 7) % 23}.${String(i).padStart(2, '0')}`,
			stock_quantity: i % 4 === 0 ? 0 : i,
			category_id: i % 3 === 0 ? category.id : other.id,
			tags: ['handmade', i % 2 === 0 ? 'even' : 'odd'],
			is_featured: i % 6 === 0,
		}));
});

test('the catalog is public, newest first', async () => {
	const answer = await call('GET', PATH, { expect: 200 });

	assertMembers(answer.json, ['products', 'pagination']);
	assertPagination(answer.json.pagination);
	assert.equal(answer.json.pagination.page, 1);
	assert.equal(answer.json.pagination.limit, 20);
	assert.equal(answer.json.products.length, 20);
	answer.json.products.forEach((found) => assertProduct(found));
	const order = ids(answer.json);
	assert.deepEqual(order, [...order].sort((a, b) => b - a));
});

test('the demo catalog has at least 60 products with images', async () => {
	assert.ok(await value`SELECT count(*) FROM catalog.product WHERE image_url IS NOT NULL` >= 60);
});

test('page and limit walk through every product exactly once', async () => {
	for (const limit of [1, 5, 7, 23, 100]) {
		const met = [];
		for (let page = 1; ; page++) {
			const answer = await mine({ limit, page });
			assertPagination(answer.pagination);
			assert.equal(answer.pagination.total, 23);
			assert.equal(answer.pagination.limit, limit);
			assert.equal(answer.pagination.page, page);
			met.push(...ids(answer));
			if (page >= answer.pagination.totalPages)
				break;
		}
		assert.deepEqual(met, all().reverse());
	}
});

test('the cursor walks through every product exactly once, in every order', async () => {
	for (const sortBy of ['newest', 'price_asc', 'price_desc', 'popular'])
		for (const limit of [4, 23]) {
			const met = [];
			let cursor;
			do {
				const answer = await mine({ limit, sortBy, ...(cursor && { cursor }) });
				met.push(...ids(answer));
				cursor = answer.pagination.next_cursor;
				assert.ok(met.length <= 23, `${sortBy}: ${met}`);
			} while (cursor !== null);
			assert.deepEqual([...met].sort((a, b) => a - b), all(), sortBy);
			assert.equal(new Set(met).size, 23, sortBy);
		}
});

test('a product that comes while one pages is not met twice', async () => {
	const quick = await seller();
	for (let i = 0; i < 4; i++)
		await product(quick);
	const first = await list({ seller: quick.id, limit: 2 });
	await product(quick);
	const second = await list({ seller: quick.id, limit: 2, cursor: first.pagination.next_cursor });
	assert.equal(new Set([...ids(first), ...ids(second)]).size, 4);
});

test('a page past the end is empty', async () => {
	const answer = await mine({ page: 1000, limit: 100 });
	assert.deepEqual(answer.products, []);
	assert.equal(answer.pagination.total, 23);
	assert.equal(answer.pagination.next_cursor, null);
});

test('every filter filters, and its total is right', async () => {
	const [categoryId, otherId] = [stall[0].category_id, stall[1].category_id];
	const slug = await value`SELECT slug FROM catalog.category WHERE id = ${categoryId}`;
	const checks = [
		[{ category: categoryId }, (p) => p.category_id === categoryId],
		[{ category: slug }, (p) => p.category_id === categoryId],
		[{ category: otherId }, (p) => p.category_id === otherId],
		[{ category: 'no-such-category' }, () => false],
		[{ minPrice: '20.00' }, (p) => cents(p.price) >= 2000],
		[{ maxPrice: '20' }, (p) => cents(p.price) <= 2000],
		[{ minPrice: stall[3].price, maxPrice: stall[3].price }, (p) => p.price === stall[3].price],
		[{ minPrice: '30', maxPrice: '20' }, () => false],
		[{ tags: 'even' }, (p) => p.tags.includes('even')],
		[{ tags: 'even,handmade' }, (p) => p.tags.includes('even')],
		[{ featured: 'true' }, (p) => p.is_featured],
		[{ featured: 'false' }, (p) => !p.is_featured],
		[{ inStock: 'true' }, (p) => p.stock_quantity > 0],
		[{ featured: 'true', inStock: 'true', tags: 'even', minPrice: '12' },
		    (p) => p.is_featured && p.stock_quantity > 0 && p.tags.includes('even') && cents(p.price) >= 1200],
	];

	for (const [query, fits] of checks) {
		const answer = await mine({ ...query, limit: 100 });
		const expected = stall.filter(fits).map((made) => made.id).reverse();
		assert.deepEqual(ids(answer), expected, JSON.stringify(query));
		assert.equal(answer.pagination.total, expected.length, JSON.stringify(query));
		const paged = await mine({ ...query, limit: 3 });
		assert.equal(paged.pagination.total, expected.length, JSON.stringify(query));
	}
});

test('featured products are in the unfiltered list too', async () => {
	assert.deepEqual(ids(await mine({ limit: 100 })), all().reverse());
});

test('prices sort both ways', async () => {
	for (const [sortBy, sign] of [['price_asc', 1], ['price_desc', -1]]) {
		const prices = (await mine({ sortBy, limit: 100 })).products.map((found) => cents(found.price));
		assert.deepEqual(prices, [...prices].sort((a, b) => sign * (a - b)), sortBy);
		assert.equal(prices.length, 23);
	}
});

test('search finds words, prefixes and near misses, best first', async () => {
	const named = stall.filter((made) => made.name.startsWith(WORD)).map((made) => made.id);

	const exact = await list({ search: WORD, sortBy: 'relevance', limit: 100 });
	assert.deepEqual(ids(exact).slice(0, -1).sort((a, b) => a - b), named);
	assert.equal(ids(exact).at(-1), stall[7].id, 'a word of the description counts less than one of the name');
	assert.equal(exact.pagination.total, named.length + 1);

	const prefix = await list({ search: WORD.slice(0, -3), limit: 100 });
	for (const id of named)
		assert.ok(ids(prefix).includes(id), 'prefix');
	const upper = await list({ search: `  ${WORD.toUpperCase()} `, limit: 100 });
	assert.deepEqual(ids(upper).sort(), ids(exact).sort());

	const kettles = await mine({ search: 'kettles', limit: 100 });
	assert.equal(kettles.products.length, 23 - named.length, 'another form of the word');
	const typo = await mine({ search: 'coper ketle', limit: 100 });
	assert.ok(typo.products.length > 0, 'a typo');
	assert.deepEqual((await list({ search: `nothing${unique()}like${unique()}` })).products, []);
});

test('search terms are only text', async () => {
	for (const search of ["'", "';--", '%', '\\', '"', '()', '&|!', ':*', '<->', "a' & 'b", '🐪', 'a'.repeat(200), '!!', '-', '" or "'])
		assert.ok([200, 400].includes((await call('GET', `${PATH}?search=${encodeURIComponent(search)}`)).status), search);
});

test('parameters out of bounds are 400, all at once', async () => {
	await refuseFields(['page', 'limit', 'minPrice', 'featured', 'sortBy'], 'GET',
	    `${PATH}?page=0&limit=101&minPrice=-1&featured=maybe&sortBy=cheapest`);
	for (const bad of ['page=-1', 'page=abc', 'page=1.5', 'page=99999999999999999999', 'page=1e3', 'page=%201', 'page=+1', 'page=0x1'])
		await refuseFields(['page'], 'GET', `${PATH}?${bad}`);
	for (const bad of ['limit=0', 'limit=-5', 'limit=abc', 'limit=1000', 'limit=9223372036854775808'])
		await refuseFields(['limit'], 'GET', `${PATH}?${bad}`);
	for (const bad of ['minPrice=abc', 'minPrice=1e2', 'minPrice=19.999', 'minPrice=NaN', 'minPrice=-0.01', 'minPrice=99999999999999'])
		await refuseFields(['minPrice'], 'GET', `${PATH}?${bad}`);
	await refuseFields(['maxPrice'], 'GET', `${PATH}?maxPrice=Infinity`);
	await refuseFields(['seller'], 'GET', `${PATH}?seller=abc`);
	await refuseFields(['inStock'], 'GET', `${PATH}?inStock=2`);
});

test('cursors made up or cut are 400', async () => {
	const { pagination: { next_cursor: cursor } } = await mine({ limit: 2 });
	for (const bad of ['x', '%00', `${cursor}AAAA`, `x${cursor}`, 'a'.repeat(1000), "' or 1=1", '../..'])
		await refuseFields(['cursor'], 'GET', `${PATH}?cursor=${encodeURIComponent(bad)}`);
});

test('malformed escapes and NUL in a query are 400', async () => {
	for (const bad of ['search=%', 'search=%zz', 'search=%2', 'search=%00', 'search=%ff', 'search=%c0%af', 'search=%ed%a0%80']) {
		const answer = await call('GET', `${PATH}?${bad}`);
		assert.equal(`${bad} ${answer.status}`, `${bad} 400`);
	}
});

test('only what is active is listed', async () => {
	const fresh = await seller();
	const hidden = await product(fresh);
	await run`UPDATE catalog.product SET is_active = false WHERE id = ${hidden.id}`;
	await product(fresh);	/* purges what a cache has */
	assert.ok(!ids(await list({ seller: fresh.id })).includes(hidden.id));
});

test('the list is cached, tells so, and answers 304', async () => {
	const query = nothing();
	const first = await call('GET', query, { expect: 200 });
	const second = await call('GET', query, { expect: 200 });

	assert.equal(first.headers['x-cache'], 'MISS');
	assert.match(first.headers.etag, /^(W\/)?"[^"]+"$/);
	assert.match(first.headers['cache-control'], /\bpublic\b.*\bmax-age=\d+/);
	assert.ok(first.headers.vary);
	assert.equal(second.headers.etag, first.headers.etag);
	assert.equal(second.text, first.text);
	for (const sent of [first.headers.etag, `"other", ${first.headers.etag}`, '*']) {
		const answer = await call('GET', query, { headers: { 'If-None-Match': sent }, expect: 304 });
		assert.equal(answer.bytes.length, 0);
		assert.equal(answer.headers.etag, first.headers.etag);
	}
	const changed = await call('GET', query, { headers: { 'If-None-Match': '"other"' }, expect: 200 });
	assert.equal(changed.text, first.text);
});

test('a second reader hits the cache', async () => {
	/* Other files purge the tag by creating products; a hit is soon had. */
	const query = nothing();
	let hit = false;
	for (let i = 0; i < 200 && !hit; i++)
		hit = (await call('GET', query, { expect: 200 })).headers['x-cache'] === 'HIT';
	assert.ok(hit);
});

test('a created product is in the very next read', async () => {
	const quick = await seller();
	for (let i = 0; i < 10; i++) {
		await list({ seller: quick.id });
		const made = await product(quick);
		assert.equal(ids(await list({ seller: quick.id }))[0], made.id);
	}
});

test('readers while products are created never see an older list after a newer', async () => {
	const quick = await seller();
	let made = 0;
	let done = false;
	const reader = async () => {
		while (!done) {
			const least = made;
			assert.ok((await list({ seller: quick.id })).pagination.total >= least);
		}
	};
	const readers = [reader(), reader(), reader()];
	try {
		for (let i = 0; i < 15; i++) {
			await product(quick);
			made++;
		}
	} finally {
		done = true;
		await Promise.all(readers);
	}
});

test('a cached answer does not carry one user\'s data to another', async () => {
	const query = `${PATH}?seller=${owner.id}&limit=5`;
	const own = await call('GET', query, { token: owner.token, expect: 200 });
	const others = await call('GET', query, { expect: 200 });
	const buyers = await call('GET', query, { token: (await customer()).token, expect: 200 });

	for (const found of [...others.json.products, ...buyers.json.products])
		assert.equal(found.cost_per_item, undefined);
	assert.deepEqual(ids(own.json), ids(others.json));
});

test('a bad token does not make anybody of a public reader', async () => {
	const answer = await call('GET', PATH, { token: 'a.b.c' });
	assert.ok([200, 401].includes(answer.status));
});

test('the general limit of an address is told, kept, and its own', async () => {
	const address = newAddress();
	const first = await call('GET', `${PATH}?limit=1`, { address, expect: 200 });
	const limit = Number(first.headers['ratelimit-limit']);

	assert.equal(Number(first.headers['ratelimit-remaining']), limit - 1);
	assert.ok(Number(first.headers['ratelimit-reset']) <= 60);
	let answer = first;
	for (let i = 1; i <= limit * 2 && answer.status === 200; i++)
		answer = await call('GET', `${PATH}?limit=1`, { address });
	assert.equal(answer.status, 429);
	assert.equal(answer.json.code, 'rate_limited');
	assert.equal(answer.headers['ratelimit-remaining'], '0');
	await call('GET', `${PATH}?limit=1`, { address: newAddress(), expect: 200 });
});
