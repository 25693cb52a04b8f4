import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { admin, assertOrder, customer, lines, order, pay, place, product, seller } from '../../lib/shop.mjs';

let owner;
let buyer;
let placed;
const path = (id = placed.id) => `/api/orders/${id}`;

before(async () => {
	owner = await seller();
	buyer = await customer();
	placed = await place(buyer, lines([(await product(owner)).id, 2]));
});

test('its owner sees an order whole', async () => {
	const found = await order(buyer, placed.id);
	assertOrder(found);
	assert.deepEqual(found, placed);
	assert.ok(found.payment.clientSecret);
});

test('its seller and an admin see it without the client secret', async () => {
	for (const who of [owner, await admin()]) {
		const found = await order(who, placed.id);
		assertOrder(found);
		assert.equal(found.payment.clientSecret ?? null, null);
		assert.equal(found.id, placed.id);
	}
});

test('to anyone else it does not exist', async () => {
	for (const who of [await customer(), await seller()]) {
		const hidden = await who.refuse(404, 'not_found', 'GET', path());
		const none = await who.refuse(404, 'not_found', 'GET', path(999999999999));
		assert.deepEqual({ ...hidden.json, request_id: '', instance: '' }, { ...none.json, request_id: '', instance: '' });
	}
});

test('an id that is none is 404', async () => {
	for (const id of ['abc', '0', '-1', '1.5', '9223372036854775808', "1'", '1e0'])
		await buyer.refuse(404, 'not_found', 'GET', path(id));
});

test('an order that is paid says so', async () => {
	const made = await place(buyer, lines([(await product(owner)).id, 1]));
	const found = await pay(buyer, made);
	assertOrder(found);
	assert.equal(found.payment_status, 'succeeded');
	assert.equal(found.payment.status, 'succeeded');
	assert.notEqual(found.paid_at, null);
});

let somebody;
refusesBadTokens('GET', '/api/orders/1', async () => somebody ??= await customer());
