import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { call, refuse } from '../../lib/client.mjs';
import { ADDRESS, admin, assertProduct, customer, lines, place, product, seller } from '../../lib/shop.mjs';
import { run } from '../../lib/sql.mjs';

let owner;
let made;
const path = (id = made.id) => `/api/products/${id}`;

before(async () => {
	owner = await seller();
	made = await product(owner, { price: 1999.99, cost_per_item: '12.34', stock_quantity: 9 });
});

test('anyone sees a product', async () => {
	const { json } = await call('GET', path(), { expect: 200 });
	assertProduct(json);
	assert.equal(json.id, made.id);
	assert.equal(json.price, '1999.99');
	assert.equal(json.seller_id, owner.id);
});

test('what it cost is for its seller and admins only', async () => {
	for (const who of [owner, await admin()]) {
		const { json } = await who.call('GET', path(), { expect: 200 });
		assertProduct(json, { own: true });
		assert.equal(json.cost_per_item, '12.34');
	}
	for (const who of [await seller(), await customer()])
		assertProduct((await who.call('GET', path(), { expect: 200 })).json);
	assertProduct((await call('GET', path(), { expect: 200 })).json);
});

test('an id that is none is 404', async () => {
	for (const id of ['abc', '0', '-1', '1.5', '1e3', '999999999999', '9223372036854775807', '9223372036854775808',
	    '99999999999999999999999999', '%20', '0x10', '1;drop', "1'", '+1', '01', 'null'])
		await refuse(404, 'not_found', 'GET', path(id));
	for (const id of ['%00', '%ff'])
		await refuse(400, 'malformed_request', 'GET', path(id));
});

test('what is not active is 404', async () => {
	const hidden = await product(owner);
	await run`UPDATE catalog.product SET is_active = false WHERE id = ${hidden.id}`;
	await refuse(404, 'not_found', 'GET', path(hidden.id));
});

test('what it offers is what can be ordered now', async () => {
	const buyer = await customer();
	const scarce = await product(owner, { stock_quantity: 5 });
	await call('GET', path(scarce.id), { expect: 200 });
	await place(buyer, lines([scarce.id, 3]));
	assert.equal((await owner.get(path(scarce.id))).stock_quantity, 2);
	assert.equal((await call('GET', path(scarce.id), { expect: 200 })).json.stock_quantity, 2);
	await buyer.refuse(409, 'insufficient_stock', 'POST', '/api/orders',
	    { json: { items: lines([scarce.id, 3]), ...ADDRESS } });
});

test('a product is cached and answers 304', async () => {
	const first = await call('GET', path(), { expect: 200 });
	assert.match(first.headers['cache-control'], /\bpublic\b.*\bmax-age=\d+/);
	assert.match(first.headers['x-cache'], /^(HIT|MISS)$/);
	assert.ok(first.headers.vary);
	const again = await call('GET', path(), { headers: { 'If-None-Match': first.headers.etag } });
	assert.equal(again.status, 304);
	assert.equal(again.bytes.length, 0);
});

test('an unknown parameter does not make another product of it', async () => {
	for (const query of ['?utm_source=x', '?id=1'])
		assert.ok([200, 400].includes((await call('GET', path() + query)).status));
});

test('a bad token does not make anybody of a public reader', async () => {
	const answer = await call('GET', path(), { token: 'a.b.c' });
	assert.ok([200, 401].includes(answer.status));
});
