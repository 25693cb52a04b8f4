import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { call } from '../../lib/client.mjs';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { admin, assertProduct, customer, newKey, product, seller, stockOf, unanswered, unique } from '../../lib/shop.mjs';
import { rows, value } from '../../lib/sql.mjs';

const PATH = '/api/products';
let owner;
const create = (json, options) => owner.call('POST', PATH, { json, ...options });
const refuseFields = (fields, json) => owner.refuseFields(fields, 'POST', PATH, { json });
const mine = () => value`SELECT count(*) FROM catalog.product WHERE seller_id = ${owner.id}`;

before(async () => { owner = await seller(); });

test('a seller puts a product on sale', async () => {
	const [category] = await rows`SELECT id, name FROM catalog.category ORDER BY id LIMIT 1`;
	const name = `Brass lamp ${unique()}`;
	const { json } = await create({
		name, price: '1999.99', description: 'Shines', category_id: category.id, stock_quantity: 12,
		sku: `SKU-${unique()}`, barcode: '4006381333931', weight: 1.25, compare_at_price: 2499,
		cost_per_item: '1000.10', tags: ['brass', 'lamp'], is_featured: true,
	}, { expect: 201 });

	assertProduct(json, { own: true });
	assert.equal(json.name, name);
	assert.equal(json.seller_id, owner.id);
	assert.equal(json.price, '1999.99');
	assert.equal(json.compare_at_price, '2499.00');
	assert.equal(json.cost_per_item, '1000.10');
	assert.equal(json.category_id, category.id);
	assert.equal(json.category_name, category.name);
	assert.equal(json.stock_quantity, 12);
	assert.equal(Number(json.weight), 1.25);
	assert.deepEqual(json.tags, ['brass', 'lamp']);
	assert.equal(json.is_featured, true);
	assert.equal(json.is_active, true);
	assert.match(json.slug, /^brass-lamp-[a-z0-9-]+$/);
	const { json: read } = await call('GET', `${PATH}/${json.id}`, { expect: 200 });
	assertProduct(read);
});

test('a name and a price are enough', async () => {
	const { json } = await create({ name: 'Plain', price: 5 }, { expect: 201 });

	assertProduct(json, { own: true });
	assert.equal(json.price, '5.00');
	assert.equal(json.stock_quantity, 0);
	for (const name of ['description', 'category_id', 'category_name', 'compare_at_price', 'sku', 'barcode',
	    'weight', 'image_url', 'cost_per_item'])
		assert.equal(json[name], null, name);
	assert.deepEqual(json.images, []);
	assert.deepEqual(json.tags, []);
	assert.equal(json.is_featured, false);
	assert.equal(json.rating_count, 0);
	assert.deepEqual(await stockOf(json.id), { received: 0, available: 0, reserved: 0, sold: 0 });
});

test('stock is another name of stock_quantity', async () => {
	assert.equal((await create({ name: 'A', price: 1, stock: 7 }, { expect: 201 })).json.stock_quantity, 7);
	const both = await owner.call('POST', PATH, { json: { name: 'A', price: 1, stock: 7, stock_quantity: 8 } });
	assert.equal(both.status, 400);
});

test('admins sell too, customers do not', async () => {
	const boss = await admin();
	assert.equal((await product(boss)).seller_id, boss.id);
	const buyer = await customer();
	await buyer.refuse(403, 'forbidden', 'POST', PATH, { json: { name: 'X', price: 1 } });
	await buyer.refuse(403, 'forbidden', 'POST', PATH, { json: {} });
});

test('money is exact, as text or as a number', async () => {
	for (const [sent, told] of [['0.01', '0.01'], ['0', '0.00'], ['19.9', '19.90'], ['100000000.00', '100000000.00'],
	    ['0.10', '0.10'], ['1.1', '1.10'], ['99999999999.99', '99999999999.99']]) {
		const answer = await create({ name: 'Money', price: sent }, { expect: 201 });
		assert.equal(answer.json.price, told, sent);
	}
	for (const [sent, told] of [['0.1', '0.10'], ['19.99', '19.99'], ['1999.99', '1999.99'], ['0.07', '0.07'],
	    ['4.35', '4.35'], ['1.15', '1.15'], ['99999999999.99', '99999999999.99'], ['3', '3.00']]) {
		const answer = await create(undefined, { body: `{"name":"Money","price":${sent}}`, expect: 201 });
		assert.equal(answer.json.price, told, sent);
	}
});

test('money that is none is 400', async () => {
	for (const price of ['', ' ', 'abc', '-1', '-0.01', '1e2', '1E2', '19.999', '0.001', '1,50', '1.', '.5', '1.2.3', '$5', '5 ',
	    ' 5', '+5', 'NaN', 'Infinity', '0x10', '100000000000.01', '99999999999999999999', '١٢', true, null, {}, [5]])
		await refuseFields(['price'], { name: 'X', price });
	for (const price of ['1e2', '1E+2', '1e-2', '19.999', '-1', '-0.01', '1e400', '100000000000.01', '1e14', '99999999999999999999']) {
		const answer = await owner.call('POST', PATH, { body: `{"name":"X","price":${price}}` });
		assert.equal(`${price} ${answer.status}`, `${price} 400`);
	}
	await refuseFields(['compare_at_price', 'cost_per_item'],
	    { name: 'X', price: 1, compare_at_price: '-1', cost_per_item: '1.001' });
});

test('every bad field is named at once, and nothing is made', async () => {
	const count = await mine();
	await refuseFields(['name', 'price', 'description', 'category_id', 'stock_quantity', 'sku', 'barcode', 'weight',
	    'tags', 'is_featured'], {
		name: '', price: 'free', description: 5, category_id: 'books', stock_quantity: -1, sku: {}, barcode: 5,
		weight: -1, tags: 'a,b', is_featured: 'yes',
	});
	await refuseFields(['name', 'price'], {});
	assert.equal(await mine(), count);
});

test('bounds of the other fields', async () => {
	const bad = (more) => refuseFields(Object.keys(more), { name: 'X', price: 1, ...more });
	await bad({ stock_quantity: 1.5 });
	await bad({ stock_quantity: '5x' });
	await bad({ stock_quantity: 1e30 });
	await bad({ weight: 'heavy' });
	await bad({ weight: 1.23456 });
	await bad({ category_id: 0 });
	await bad({ category_id: -1 });
	await bad({ category_id: 1.5 });
	await refuseFields(['name'], { name: 'x'.repeat(256), price: 1 });
	await refuseFields(['name'], { name: null, price: 1 });
	await refuseFields(['name'], { name: 5, price: 1 });
	assert.equal((await create({ name: 'ż'.repeat(255), price: 1 }, { expect: 201 })).json.name, 'ż'.repeat(255));
	const tags = await owner.call('POST', PATH, { json: { name: 'X', price: 1, tags: ['ok', 5] } });
	assert.equal(tags.status, 400);
	assert.match(tags.json.errors[0].field, /^tags/);
	assert.equal((await owner.call('POST', PATH, { json: { name: 'X', price: 1, tags: Array(100000).fill('a') } })).status, 400);
});

test('a category that does not exist is 400 and named', async () => {
	await refuseFields(['category_id'], { name: 'X', price: 1, category_id: 999999999 });
});

test('what the shop decides cannot be set', async () => {
	await refuseFields(['id', 'seller_id', 'slug', 'currency', 'is_active', 'rating_average', 'rating_count',
	    'created_at', 'image_url', 'price = 0; --'], {
		name: 'X', price: 1, id: 1, seller_id: 1, slug: 'x', currency: 'JPY', is_active: true, rating_average: 5,
		rating_count: 1000, created_at: '2020-01-01T00:00:00.000Z', image_url: 'http://x', 'price = 0; --': 1,
	});
});

test('a seller\'s SKU is unique, another seller may have it too', async () => {
	const sku = `SKU-${unique()}`;
	await create({ name: 'One', price: 1, sku }, { expect: 201 });
	await owner.refuse(409, 'sku_taken', 'POST', PATH, { json: { name: 'Two', price: 1, sku } });
	await product(await seller(), { sku });
});

test('slugs are unique', async () => {
	const name = `Twin ${unique()}`;
	const twins = await Promise.all(Array.from({ length: 8 }, () => create({ name, price: 1 }, { expect: 201 })));
	assert.equal(new Set(twins.map(({ json }) => json.slug)).size, 8);
	for (const odd of ['🐪🐪', '---', '  x  ', 'ŻÓŁĆ', '../../etc'])
		assert.match((await create({ name: odd, price: 1 }, { expect: 201 })).json.slug, /^[a-z0-9][a-z0-9-]*$/);
});

test('text comes back as it was sent', async () => {
	const name = `"Quotes" \\ 'and' <b>tags</b> & 🐪 ${unique()}`;
	const { json } = await create({ name, price: 1, description: 'line\nline\ttab\u2028' }, { expect: 201 });
	assert.equal(json.name, name);
	assert.equal(json.description, 'line\nline\ttab\u2028');
});

test('the same Idempotency-Key makes one product', async () => {
	const key = newKey();
	const json = { name: `Once ${unique()}`, price: 1 };
	const first = await create(json, { key, expect: 201 });
	const again = await create(json, { key, expect: 201 });

	assert.equal(again.text, first.text);
	assert.equal(first.headers['idempotent-replayed'], undefined);
	assert.equal(again.headers['idempotent-replayed'], 'true');
	await owner.refuse(422, 'idempotency_key_reused', 'POST', PATH, { key, json: { ...json, price: 2 } });
	const other = await seller();
	const theirs = await other.call('POST', PATH, { key, json, expect: 201 });
	assert.notEqual(theirs.json.id, first.json.id);

	await unanswered(key);
	const busy = await owner.refuse(409, 'request_in_progress', 'POST', PATH, { key, json });
	assert.match(busy.headers['retry-after'], /^\d+$/);
});

test('20 requests with one key at once make one product', async () => {
	const key = newKey();
	const name = `Once ${unique()}`;
	const answers = await Promise.all(Array.from({ length: 20 }, () => create({ name, price: 1 }, { key })));

	for (const answer of answers)
		assert.ok(answer.status === 201 || (answer.status === 409 && answer.json.code === 'request_in_progress'),
		    `${answer.status} ${answer.text}`);
	assert.equal(new Set(answers.filter(({ status }) => status === 201).map(({ text }) => text)).size, 1);
	assert.equal(await value`SELECT count(*) FROM catalog.product WHERE name = ${name}`, 1);
});

test('keys of a wrong length are 400', async () => {
	for (const key of ['k'.repeat(256), 'k'.repeat(4000)]) {
		const answer = await owner.call('POST', PATH, { key, json: { name: 'X', price: 1 } });
		assert.equal(answer.status, 400, `key of ${key.length}`);
	}
	await create({ name: 'X', price: 1 }, { key: `${unique()}${'k'.repeat(243)}`, expect: 201 });
});

let somebody;
const person = async () => somebody ??= await seller();
refusesBadTokens('POST', PATH, person, { json: { name: 'X', price: 1 } });
refusesBadBodies('POST', PATH, async () => (await person()).token);
