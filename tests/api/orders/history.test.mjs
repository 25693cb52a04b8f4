import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { admin, assertMembers, assertTimes, customer, lines, pay, place, product, seller } from '../../lib/shop.mjs';

let owner;
let buyer;
let placed;
const path = (id = placed.id) => `/api/orders/${id}/history`;

before(async () => {
	owner = await seller();
	buyer = await customer();
	placed = await place(buyer, lines([(await product(owner)).id, 1]));
});

test('every status an order has had, in order', async () => {
	await pay(buyer, placed);
	const history = await buyer.get(path());

	assert.ok(Array.isArray(history));
	for (const entry of history) {
		assertMembers(entry, ['id', 'order_id', 'old_status', 'new_status', 'changed_by', 'notes', 'created_at']);
		assertTimes(entry, ['created_at']);
		assert.equal(entry.order_id, placed.id);
	}
	assert.deepEqual(history.map((entry) => [entry.old_status, entry.new_status]),
	    [[null, 'pending'], ['pending', 'confirmed'], ['confirmed', 'paid']]);
	assert.equal(history[0].changed_by, buyer.id);
});

test('its seller and an admin see it, to anyone else it does not exist', async () => {
	for (const who of [owner, await admin()])
		assert.ok((await who.get(path())).length >= 2);
	for (const who of [await customer(), await seller()])
		await who.refuse(404, 'not_found', 'GET', path());
});

test('an id that is none is 404', async () => {
	for (const id of ['abc', '0', '-1', '999999999999', '9223372036854775808'])
		await buyer.refuse(404, 'not_found', 'GET', path(id));
});

let somebody;
refusesBadTokens('GET', '/api/orders/1/history', async () => somebody ??= await customer());
