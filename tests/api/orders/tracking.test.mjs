import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { assertOrder, customer, lines, newAdmin, order, pay, place, product, seller } from '../../lib/shop.mjs';

const TRACKING = { trackingNumber: 'RR123456785MA', carrier: 'Poste Maroc' };
let owner;
let buyer;
let lamp;
const path = (id) => `/api/orders/${id}/tracking`;
const set = async (who, id, json = TRACKING) => (await who.call('PUT', path(id), { json, expect: 200 })).json;
const become = (who, id, status) => who.call('PUT', `/api/orders/${id}/status`, { json: { status }, expect: 200 });

before(async () => {
	owner = await seller();
	buyer = await customer();
	lamp = await product(owner, { stock_quantity: 1000 });
});

async function paid() {
	const placed = await place(buyer, lines([lamp.id, 1]));
	return pay(buyer, placed);
}

test('its seller and an admin say how an order can be followed, from paid to delivered', async () => {
	const placed = await paid();
	const found = await set(owner, placed.id);
	assertOrder(found);
	assert.deepEqual([found.tracking_number, found.carrier, found.status], [TRACKING.trackingNumber, TRACKING.carrier, 'paid']);
	for (const status of ['processing', 'shipped', 'delivered']) {
		await become(owner, placed.id, status);
		const json = { trackingNumber: `${status}-1`, carrier: 'DHL' };
		await set(await newAdmin(), placed.id, json);
		const seen = await order(buyer, placed.id);
		assert.deepEqual([seen.tracking_number, seen.carrier, seen.status], [json.trackingNumber, 'DHL', status]);
	}
});

test('what is not to be sent is 409', async () => {
	const unpaid = await place(buyer, lines([lamp.id, 1]));
	await owner.refuse(409, 'order_not_paid', 'PUT', path(unpaid.id), { json: TRACKING });
	await become(owner, unpaid.id, 'cancelled');
	await owner.refuse(409, 'order_cancelled', 'PUT', path(unpaid.id), { json: TRACKING });
	const placed = await paid();
	await become(owner, placed.id, 'refunded');
	await owner.refuse(409, 'order_refunded', 'PUT', path(placed.id), { json: TRACKING });
	assert.equal((await order(buyer, placed.id)).tracking_number, null);
});

test('its owner may not, nor who sells some of the items; for others it does not exist', async () => {
	const other = await seller();
	const placed = await place(buyer, lines([lamp.id, 1], [(await product(other)).id, 1]));
	await pay(buyer, placed);
	for (const who of [buyer, owner, other])
		await who.refuse(403, 'forbidden', 'PUT', path(placed.id), { json: TRACKING });
	await (await seller()).refuse(404, 'not_found', 'PUT', path(placed.id), { json: TRACKING });
	assert.equal((await order(buyer, placed.id)).carrier, null);
	await (await newAdmin()).refuse(404, 'not_found', 'PUT', path(987654321987654), { json: TRACKING });
});

test('both are needed, within bounds', async () => {
	const placed = await paid();
	await owner.refuseFields(['trackingNumber', 'carrier'], 'PUT', path(placed.id), { json: {} });
	await owner.refuseFields(['trackingNumber', 'carrier'], 'PUT', path(placed.id), { json: { trackingNumber: '', carrier: 'x'.repeat(101) } });
	await owner.refuseFields(['tracking_number'], 'PUT', path(placed.id), { json: { ...TRACKING, tracking_number: '1' } });
	for (const id of ['abc', '0', '-1', '9223372036854775808'])
		await owner.refuse(404, 'not_found', 'PUT', path(id), { json: TRACKING });
});

refusesBadTokens('PUT', '/api/orders/1/tracking', () => owner);
refusesBadBodies('PUT', () => path(987654321987654), () => owner.token);
