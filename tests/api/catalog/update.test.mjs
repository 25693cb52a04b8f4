import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { call, refuse } from '../../lib/client.mjs';
import { ADDRESS, assertProduct, category, customer, lines, newAdmin, order, place, product, seller, stockOf, unique } from '../../lib/shop.mjs';
import { rows, run, value } from '../../lib/sql.mjs';

let owner;
let boss;
let made;
const at = (id = made.id) => `/api/products/${id}`;
const change = async (json, id) => (await owner.call('PUT', at(id), { json, expect: 200 })).json;
const refuseFields = (fields, json) => owner.refuseFields(fields, 'PUT', at(), { json });
const read = async (id) => (await call('GET', at(id), { expect: 200 })).json;

before(async () => {
	[owner, boss] = [await seller(), await newAdmin()];
	made = await product(owner, { description: 'Shines', sku: `SKU-${unique()}`, barcode: '4006381333931',
		weight: 1.25, compare_at_price: 2499, cost_per_item: '10.10', tags: ['brass'] });
});

test('every field can be changed, and the next read says so', async () => {
	const shelf = await category(boss);
	const sku = `SKU-${unique()}`;
	const json = await change({ name: 'New lamp', price: '5.50', description: 'Glows', category_id: shelf.id,
		stock_quantity: 42, sku, barcode: '1', weight: '0.5', compare_at_price: '6.00', cost_per_item: 1,
		tags: ['new'], is_featured: true, is_active: true });

	assertProduct(json, { own: true });
	const told = { name: 'New lamp', price: '5.50', description: 'Glows', category_id: shelf.id,
		category_name: shelf.name, stock_quantity: 42, sku, barcode: '1', compare_at_price: '6.00',
		tags: ['new'], is_featured: true, is_active: true };
	for (const [name, expected] of Object.entries(told)) {
		assert.deepEqual(json[name], expected, name);
		assert.deepEqual((await read())[name], expected, name);
	}
	assert.equal(json.cost_per_item, '1.00');
	assert.equal(Number(json.weight), 0.5);
	assert.ok(json.updated_at > made.updated_at);
	assert.equal(json.created_at, made.created_at);
});

test('what is not sent stays', async () => {
	const lamp = await product(owner, { description: 'Shines', tags: ['a'], weight: 2, is_featured: true });
	const { updated_at: then, name: ignored, ...rest } = lamp;
	const { updated_at: now, name, ...after } = await change({ name: 'Renamed' }, lamp.id);
	assert.equal(name, 'Renamed');
	assert.deepEqual(after, rest);
	assert.ok(now >= then && ignored !== name);
	assert.deepEqual((({ updated_at: _, ...same }) => same)(await change({}, lamp.id)), { ...rest, name });
});

test('null clears what may be absent, and is refused elsewhere', async () => {
	const shelf = await category(boss);
	const lamp = await product(owner, { description: 'x', category_id: shelf.id, sku: unique(), barcode: '1',
		weight: 1, compare_at_price: 9, cost_per_item: 1 });
	const json = await change({ description: null, category_id: null, sku: null, barcode: null, weight: null,
		compare_at_price: null, cost_per_item: null }, lamp.id);
	for (const name of ['description', 'category_id', 'category_name', 'sku', 'barcode', 'weight',
	    'compare_at_price', 'cost_per_item'])
		assert.equal(json[name], null, name);
	await refuseFields(['name', 'price', 'stock_quantity', 'stock', 'tags', 'is_featured', 'is_active'],
	    { name: null, price: null, stock_quantity: null, stock: null, tags: null, is_featured: null, is_active: null });
	assert.deepEqual((await change({ tags: [] }, lamp.id)).tags, []);
});

test('what the shop decides cannot be set, and nothing of it is', async () => {
	const was = await read();
	await refuseFields(['id', 'seller_id', 'slug', 'currency', 'rating_average', 'rating_count', 'created_at',
	    'image_url', 'deleted_at', 'price = 0; --'], {
		name: 'Mine now', id: 1, seller_id: 1, slug: 'x', currency: 'JPY', rating_average: 5, rating_count: 1000,
		created_at: '2020-01-01T00:00:00.000Z', image_url: 'http://x', deleted_at: null, 'price = 0; --': 1,
	});
	assert.deepEqual(await read(), was);
});

test('bad values are named, all at once', async () => {
	await refuseFields(['name', 'price', 'description', 'category_id', 'stock_quantity', 'sku', 'barcode', 'weight',
	    'tags', 'is_featured', 'is_active', 'low_stock_threshold'], {
		name: '', price: '-1', description: 5, category_id: 'books', stock_quantity: -1, sku: {}, barcode: 5,
		weight: -1, tags: 'a,b', is_featured: 'yes', is_active: 1, low_stock_threshold: -1,
	});
	await refuseFields(['category_id'], { category_id: 999999999 });
	await refuseFields(['category_id', 'stock'], { category_id: 999999999, stock: 1, stock_quantity: 2 });
	assert.equal((await change({ stock: 7 })).stock_quantity, 7);
});

test('sellers change their own, admins any, and others\' do not exist', async () => {
	const was = await read();
	const other = await seller();
	await other.refuse(404, 'not_found', 'PUT', at(), { json: { price: 1 } });
	for (const id of [999999999999, 0, 'abc', '9223372036854775808'])
		await owner.refuse(404, 'not_found', 'PUT', at(id), { json: { price: 1 } });
	await (await customer()).refuse(403, 'forbidden', 'PUT', at(), { json: { price: 1 } });
	assert.deepEqual(await read(), was);
	const { json } = await boss.call('PUT', at(), { json: { price: '77.00' }, expect: 200 });
	assert.equal(json.price, '77.00');
	assert.equal(json.seller_id, owner.id);
	/* Only an admin's is of note. */
	const { entries } = await boss.get(`/api/admin/audit?target=product:${made.id}`);
	assert.deepEqual(entries.map(({ actor_id: actor, action }) => [actor, action]), [[boss.id, 'product.updated']]);
});

test('the slug stays when the name changes', async () => {
	const lamp = await product(owner);
	const json = await change({ name: 'Entirely different' }, lamp.id);
	assert.equal(json.slug, lamp.slug);
});

test('tags come back as they were sent, each once, and are found as they are typed', async () => {
	const word = unique();
	const tags = [` Hand  Made ${word}`, `hand made ${word}`, 'BRASS', 'a,b', ' brass '];
	const kept = [tags[0], 'BRASS', 'a,b'];
	const lamp = await product(owner, { tags });
	assert.deepEqual(lamp.tags, kept);
	assert.deepEqual((await change({ tags: ['x', ...tags] }, lamp.id)).tags, ['x', ...kept]);
	for (const asked of [`hand made ${word}`, ` Hand Made ${word.toUpperCase()},brass`]) {
		const { json } = await call('GET', `/api/products?tags=${encodeURIComponent(asked)}`, { expect: 200 });
		assert.deepEqual(json.products.map(({ id }) => id), [lamp.id]);
	}
	await refuseFields(['tags'], { tags: Array(51).fill(0).map((_, i) => `t${i}`) });
	await refuseFields(['tags[0]'], { tags: ['x'.repeat(101)] });
});

test('a SKU is its seller\'s once, also when two want it at once', async () => {
	const sku = `SKU-${unique()}`;
	const [one, two] = [await product(owner, { sku }), await product(owner)];
	await owner.refuse(409, 'sku_taken', 'PUT', at(two.id), { json: { sku } });
	assert.equal((await change({ sku }, one.id)).sku, sku);
	await product(await seller(), { sku });

	const goods = await Promise.all(Array.from({ length: 6 }, () => product(owner)));
	const wanted = `SKU-${unique()}`;
	const answers = await Promise.all(goods.map(({ id }) => owner.call('PUT', at(id), { json: { sku: wanted } })));
	assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409, 409, 409]);
});

test('off sale it is in no list and cannot be ordered, but its seller keeps it', async () => {
	const lamp = await product(owner);
	const buyer = await customer();
	assert.equal((await change({ is_active: false }, lamp.id)).is_active, false);
	await refuse(404, 'not_found', 'GET', at(lamp.id));
	await refuse(404, 'not_found', 'GET', `${at(lamp.id)}/reviews`);
	await buyer.refuse(404, 'product_not_found', 'POST', '/api/orders', { json: { items: lines([lamp.id, 1]), ...ADDRESS } });
	assert.deepEqual((await call('GET', `/api/products/bulk?ids=${lamp.id}`, { expect: 200 })).json, []);
	assert.equal((await owner.get(at(lamp.id))).is_active, false);
	await change({ is_active: true }, lamp.id);
	assert.equal((await read(lamp.id)).id, lamp.id);
});

test('a change does not touch orders that stand', async () => {
	const buyer = await customer();
	const lamp = await product(owner, { price: '10.00' });
	const placed = await place(buyer, lines([lamp.id, 2]));
	await change({ price: '99.00', name: 'Other' }, lamp.id);
	const [line] = (await order(buyer, placed.id)).items;
	assert.deepEqual([line.unit_price, line.product_name], ['10.00', lamp.name]);
});

test('stock_quantity is what can be ordered: what orders hold stays theirs', async () => {
	const lamp = await product(owner, { stock_quantity: 10 });
	await place(await customer(), lines([lamp.id, 4]));
	assert.equal((await change({ stock_quantity: 20 }, lamp.id)).stock_quantity, 20);
	assert.deepEqual(await stockOf(lamp.id), { received: 24, available: 20, reserved: 4, sold: 0 });
	assert.equal((await change({ stock_quantity: 0 }, lamp.id)).stock_quantity, 0);
	assert.deepEqual(await stockOf(lamp.id), { received: 4, available: 0, reserved: 4, sold: 0 });
	await change({ stock_quantity: 0 }, lamp.id);
	const log = await rows`SELECT change, balance, changed_by FROM catalog.inventory_log
	                        WHERE product_id = ${lamp.id} AND kind = 'adjusted' ORDER BY id`;
	assert.deepEqual(log, [{ change: 10, balance: 10, changed_by: owner.id },
		{ change: 14, balance: 20, changed_by: owner.id }, { change: -20, balance: 0, changed_by: owner.id }]);
});

test('changes of different fields at once all stand', async () => {
	const lamp = await product(owner);
	const wanted = { name: 'Together', price: '3.33', description: 'all', barcode: 'b', weight: '2.000',
		compare_at_price: '4.44', cost_per_item: '1.11', is_featured: true, tags: ['t'], stock_quantity: 5 };
	await Promise.all(Object.entries(wanted).map(([name, sent]) => change({ [name]: sent }, lamp.id)));
	const { json } = await owner.call('GET', at(lamp.id), { expect: 200 });
	for (const [name, expected] of Object.entries(wanted))
		assert.deepEqual(json[name], expected, name);
});

const etagOf = async (who, id) => (await (who?.call ?? call).call(who, 'GET', at(id), { expect: 200 })).headers.etag;
const conditional = (etag, json, id) => owner.call('PUT', at(id), { json, headers: { 'If-Match': etag } });

test('If-Match lets the first of two writers through, and the other read again', async () => {
	const lamp = await product(owner);
	for (const reader of [owner, null]) {
		const etag = await etagOf(reader, lamp.id);
		assert.match(etag, /^"[^"]+"$/);
		assert.equal((await conditional(etag, { price: reader ? '1.00' : '2.00' }, lamp.id)).status, 200);
		const stale = await conditional(etag, { price: '9.00' }, lamp.id);
		assert.equal(`${stale.status} ${stale.json.code}`, '412 precondition_failed');
		assert.equal((await read(lamp.id)).price, reader ? '1.00' : '2.00');
	}
});

test('the answer to a change has the ETag of the next one', async () => {
	const lamp = await product(owner);
	let { headers: { etag } } = await owner.call('PUT', at(lamp.id), { json: { price: 1 }, expect: 200 });
	assert.equal(etag, await etagOf(owner, lamp.id));
	for (let i = 2; i < 5; i++) {
		const next = await conditional(etag, { price: i }, lamp.id);
		assert.equal(next.status, 200);
		assert.notEqual(next.headers.etag, etag);
		etag = next.headers.etag;
	}
});

test('If-Match is read as RFC 9110 says', async () => {
	const lamp = await product(owner);
	const etag = await etagOf(owner, lamp.id);
	for (const sent of [`W/${etag}`, '"other"', etag.slice(1, -1), `"x${etag.slice(1)}`, '""', '"', 'x', `${etag.slice(0, -1)}-GZ"`])
		assert.equal((await conditional(sent, { weight: 1 }, lamp.id)).status, 412, sent);
	assert.equal((await read(lamp.id)).weight, null);
	for (const sent of ['*', null, '"other"', 'W/"weak"']) {
		const now = await etagOf(owner, lamp.id);
		const list = sent === '*' ? '*' : [sent, now].filter(Boolean).join(' , ');
		assert.equal((await conditional(list, { weight: 1 }, lamp.id)).status, 200, list);
	}
	/* As a gateway that compresses has marked it. */
	const marked = (await etagOf(owner, lamp.id)).replace(/"$/, '-gzip"');
	assert.equal((await conditional(marked, { weight: 2 }, lamp.id)).status, 200);
	/* What is not there has no version. */
	await owner.refuse(404, 'not_found', 'PUT', at(999999999999), { json: {}, headers: { 'If-Match': '*' } });
});

test('of 16 writers with one ETag one gets through', async () => {
	const lamp = await product(owner);
	const etag = await etagOf(null, lamp.id);
	const answers = await Promise.all(Array.from({ length: 16 }, (_, i) => conditional(etag, { price: i + 1 }, lamp.id)));
	assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(15).fill(412)]);
	const won = answers.find(({ status }) => status === 200);
	assert.equal((await read(lamp.id)).price, won.json.price);
});

test('what a sale has changed is another version, too', async () => {
	const lamp = await product(owner, { stock_quantity: 5 });
	const etag = await etagOf(null, lamp.id);
	await place(await customer(), lines([lamp.id, 1]));
	assert.equal((await conditional(etag, { price: 1 }, lamp.id)).status, 412);
});

test('a seller\'s own view is not for anybody\'s cache', async () => {
	const { headers } = await owner.call('GET', at(), { expect: 200 });
	assert.match(headers['cache-control'], /\bno-store\b/);
	assert.doesNotMatch(headers['cache-control'], /\bpublic\b/);
	await owner.call('GET', at(), { headers: { 'If-None-Match': headers.etag }, expect: 304 });
});

test('a row that came meanwhile makes no 500', async () => {
	/* The category goes between the check and the write. */
	for (let i = 0; i < 5; i++) {
		const shelf = await category(boss);
		const [gone, changed] = await Promise.all([boss.call('DELETE', `/api/categories/${shelf.id}`),
			owner.call('PUT', at(), { json: { category_id: shelf.id } })]);
		assert.ok((gone.status === 200 && (changed.status === 400 || changed.status === 200))
		    || (gone.status === 409 && changed.status === 200), `${gone.status} ${changed.status}`);
		if (gone.status === 200)
			assert.notEqual((await read()).category_id, shelf.id);
		await run`UPDATE catalog.product SET category_id = NULL WHERE id = ${made.id}`;
	}
	assert.equal(await value`SELECT count(*) FROM catalog.product WHERE id = ${made.id}`, 1);
});

refusesBadTokens('PUT', () => at(), async () => owner, { json: { price: 1 } });
refusesBadBodies('PUT', () => at(), () => owner.token);
