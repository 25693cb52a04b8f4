import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { call, refuse } from '../../lib/client.mjs';
import { form } from '../../lib/form.mjs';
import { unlike } from '../../lib/pictures.mjs';
import { ADDRESS, assertMembers, customer, lines, newAdmin, order, pay, place, product, review, seller, stockOf, unique } from '../../lib/shop.mjs';
import { value } from '../../lib/sql.mjs';

let owner;
let boss;
const at = (id) => `/api/products/${id}`;
const remove = (id, options) => owner.call('DELETE', at(id), options);

before(async () => { [owner, boss] = [await seller(), await newAdmin()]; });

test('what is deleted is gone for everybody, and deleted once', async () => {
	const word = unique();
	const lamp = await product(owner, { name: `Lamp ${word}` });
	await call('GET', `/api/products?seller=${owner.id}`, { expect: 200 });
	const { json } = await remove(lamp.id, { expect: 200 });

	assertMembers(json, ['message']);
	for (const who of [{ refuse }, owner, boss])
		await who.refuse(404, 'not_found', 'GET', at(lamp.id));
	for (const query of [`seller=${owner.id}`, `search=${word}`])
		assert.ok((await call('GET', `/api/products?${query}`, { expect: 200 })).json.products.every(({ id }) => id !== lamp.id));
	assert.deepEqual((await call('GET', `/api/products/bulk?ids=${lamp.id}`, { expect: 200 })).json, []);
	await owner.refuse(404, 'not_found', 'DELETE', at(lamp.id));
	await owner.refuse(404, 'not_found', 'PUT', at(lamp.id), { json: { is_active: true } });
	await owner.refuse(404, 'not_found', 'POST', `${at(lamp.id)}/stock`, { json: { change: 1, reason: 'x' } });
	await owner.refuse(404, 'not_found', 'GET', `${at(lamp.id)}/stock`);
	await refuse(404, 'not_found', 'GET', `${at(lamp.id)}/reviews`);
	await owner.refuse(404, 'not_found', 'GET', `${at(lamp.id)}/images`);
	await owner.refuse(404, 'not_found', 'POST', `${at(lamp.id)}/upload-image`, form(['image', unlike()]));
	const buyer = await customer();
	await buyer.refuse(404, 'not_found', 'POST', `${at(lamp.id)}/reviews`, { json: { rating: 1 } });
	await buyer.refuse(404, 'product_not_found', 'POST', '/api/orders', { json: { items: lines([lamp.id, 1]), ...ADDRESS } });
});

test('orders and the inventory log keep it', async () => {
	const buyer = await customer();
	const lamp = await product(owner, { stock_quantity: 5, sku: unique() });
	const placed = await place(buyer, lines([lamp.id, 2]));
	await remove(lamp.id, { expect: 200 });

	const [line] = (await order(buyer, placed.id)).items;
	assert.deepEqual([line.product_id, line.product_name, line.product_sku], [lamp.id, lamp.name, lamp.sku]);
	/* What was ordered before can still be paid. */
	await pay(buyer, placed);
	assert.deepEqual(await stockOf(lamp.id), { received: 5, available: 3, reserved: 0, sold: 2 });
	const { history } = await owner.get(`${at(lamp.id)}/stock/history`);
	assert.deepEqual(history.map(({ kind }) => kind), ['sold', 'reserved', 'adjusted']);
});

test('its SKU is free again, its slug is not', async () => {
	const name = `Twin ${unique()}`;
	const sku = unique();
	const lamp = await product(owner, { name, sku });
	await owner.refuse(409, 'sku_taken', 'POST', '/api/products', { json: { name, price: 1, sku } });
	await remove(lamp.id, { expect: 200 });
	const next = await product(owner, { name, sku });
	assert.equal(next.sku, sku);
	assert.notEqual(next.slug, lamp.slug);
	assert.ok(next.slug.startsWith(lamp.slug));
});

test('one\'s own, an admin any', async () => {
	const lamp = await product(owner);
	await (await seller()).refuse(404, 'not_found', 'DELETE', at(lamp.id));
	await (await customer()).refuse(403, 'forbidden', 'DELETE', at(lamp.id));
	for (const id of [999999999999, 'abc', 0])
		await owner.refuse(404, 'not_found', 'DELETE', at(id));
	await call('GET', at(lamp.id), { expect: 200 });
	await boss.call('DELETE', at(lamp.id), { expect: 200 });
	await refuse(404, 'not_found', 'GET', at(lamp.id));
});

test('If-Match', async () => {
	const lamp = await product(owner);
	const { headers: { etag } } = await owner.call('GET', at(lamp.id), { expect: 200 });
	await owner.call('PUT', at(lamp.id), { json: { price: 1 }, expect: 200 });
	await owner.refuse(412, 'precondition_failed', 'DELETE', at(lamp.id), { headers: { 'If-Match': etag } });
	const { headers: { etag: now } } = await call('GET', at(lamp.id), { expect: 200 });
	await remove(lamp.id, { headers: { 'If-Match': now }, expect: 200 });
});

test('of ten deletions at once one is it', async () => {
	const lamp = await product(owner);
	await review(await customer(), lamp.id);
	const answers = await Promise.all(Array.from({ length: 10 }, () => remove(lamp.id)));
	assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(9).fill(404)]);
	assert.equal(await value`SELECT count(*) FROM catalog.review WHERE product_id = ${lamp.id}`, 1);
});

refusesBadTokens('DELETE', '/api/products/1', async () => owner);
