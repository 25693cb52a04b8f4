import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { settled } from '../../lib/invariants.mjs';
import { assertOrder, cents, customer, lines, newAdmin, order, pay, place, product, seller, stockOf, untilOrder } from '../../lib/shop.mjs';
import { intent, stripe } from '../../lib/simulator.mjs';
import { run } from '../../lib/sql.mjs';

const STATUSES = ['pending', 'confirmed', 'paid', 'processing', 'shipped', 'delivered', 'cancelled', 'refunded'];
const NEXT = { paid: 'processing', processing: 'shipped', shipped: 'delivered' };
let owner;
let buyer;
let boss;
let lamp;
const path = (id) => `/api/orders/${id}/status`;
const set = async (who, id, status, more = {}) => (await who.call('PUT', path(id), { json: { status, ...more }, expect: 200 })).json;
const historyOf = (id) => buyer.get(`/api/orders/${id}/history`);

async function paid(quantity = 1) {
	const placed = await place(buyer, lines([lamp.id, quantity]));
	await pay(buyer, placed);
	return placed;
}

/* An order brought to a status the way orders come there. */
async function at(status) {
	const placed = await place(buyer, lines([lamp.id, 1]));
	if (status !== 'confirmed' && status !== 'cancelled')
		await pay(buyer, placed);
	if (['cancelled', 'refunded'].includes(status))
		await set(owner, placed.id, status);
	for (let was = 'paid'; NEXT[was] && !['confirmed', 'paid', 'cancelled', 'refunded'].includes(status) && was !== status; was = NEXT[was])
		await set(owner, placed.id, NEXT[was]);
	assert.equal((await order(buyer, placed.id)).status, status);
	return placed;
}

before(async () => {
	owner = await seller();
	buyer = await customer();
	boss = await newAdmin();
	lamp = await product(owner, { stock_quantity: 1000 });
});

test('paid, processing, shipped, delivered: who, when and why', async () => {
	const placed = await paid();
	const processing = await set(owner, placed.id, 'processing', { notes: 'Packed' });
	assertOrder(processing);
	assert.deepEqual([processing.status, processing.shipped_at], ['processing', null]);
	const shipped = await set(boss, placed.id, 'shipped');
	assert.equal(shipped.status, 'shipped');
	assert.notEqual(shipped.shipped_at, null);
	assert.equal(shipped.delivered_at, null);
	const delivered = await set(owner, placed.id, 'delivered', { notes: 'Left with a neighbour' });
	assertOrder(delivered);
	assert.equal(delivered.shipped_at, shipped.shipped_at);
	assert.notEqual(delivered.delivered_at, null);
	assert.equal(delivered.payment_status, 'succeeded');
	assert.equal(delivered.payment?.clientSecret ?? null, null);
	assert.deepEqual((await historyOf(placed.id)).slice(-3)
	    .map(({ old_status: from, new_status: to, changed_by: by, notes }) => [from, to, by, notes]), [
		['paid', 'processing', owner.id, 'Packed'],
		['processing', 'shipped', boss.id, null],
		['shipped', 'delivered', owner.id, 'Left with a neighbour']]);
	await settled([placed.id]);
});

for (const from of ['confirmed', 'paid', 'processing', 'shipped', 'delivered', 'cancelled', 'refunded'])
	test(`from ${from} only along the state machine`, async () => {
		const placed = await at(from);
		const wrong = STATUSES.filter((to) => to !== NEXT[from] && !['cancelled', 'refunded'].includes(to));
		if (['confirmed', 'cancelled', 'refunded'].includes(from))
			wrong.push('refunded');
		for (const to of wrong) {
			const { json } = await owner.refuse(409, 'invalid_transition', 'PUT', path(placed.id), { json: { status: to } });
			assert.deepEqual([json.from, json.to], [from, to]);
		}
		if (['shipped', 'delivered'].includes(from))
			await owner.refuse(409, 'order_shipped', 'PUT', path(placed.id), { json: { status: 'cancelled' } });
		if (from === 'refunded')
			await owner.refuse(409, 'order_refunded', 'PUT', path(placed.id), { json: { status: 'cancelled' } });
		assert.equal((await order(buyer, placed.id)).status, from);
	});

test('cancelled goes the way of cancelling', async () => {
	const wares = await product(owner, { stock_quantity: 10 });
	for (const isPaid of [false, true]) {
		const placed = await place(buyer, lines([wares.id, 2]));
		if (isPaid)
			await pay(buyer, placed);
		const found = await set(owner, placed.id, 'cancelled', { notes: 'Broken in the store' });
		assertOrder(found);
		assert.deepEqual([found.status, found.payment_status], ['cancelled', isPaid ? 'refunded' : 'cancelled']);
		assert.equal((await stockOf(wares.id)).available, 10);
		if (!isPaid)
			assert.equal((await intent(placed.payment.paymentIntentId)).status, 'canceled');
		const last = (await historyOf(placed.id)).at(-1);
		assert.deepEqual([last.new_status, last.changed_by, last.notes], ['cancelled', owner.id, 'Broken in the store']);
		assert.deepEqual(await set(owner, placed.id, 'cancelled'), found);
		await settled([placed.id]);
	}
});

test('refunded is a whole refund; goods that were never sent come back', async () => {
	const wares = await product(owner, { stock_quantity: 10 });
	for (const sent of [false, true]) {
		const placed = await place(buyer, lines([wares.id, 2]));
		await pay(buyer, placed);
		if (sent)
			for (const status of ['processing', 'shipped'])
				await set(owner, placed.id, status);
		const before = await stockOf(wares.id);
		const found = await set(owner, placed.id, 'refunded', { notes: 'Not as described' });
		assertOrder(found);
		assert.deepEqual([found.status, found.payment_status], ['refunded', 'refunded']);
		const after = await stockOf(wares.id);
		assert.deepEqual([after.available - before.available, after.sold - before.sold], sent ? [0, 0] : [2, -2]);
		const refunds = (await stripe('GET', `/v1/refunds?payment_intent=${placed.payment.paymentIntentId}`)).json.data;
		assert.deepEqual(refunds.map(({ amount }) => amount), [cents(placed.total_amount)]);
		const last = (await historyOf(placed.id)).at(-1);
		assert.deepEqual([last.new_status, last.changed_by, last.notes], ['refunded', owner.id, 'Not as described']);
		await settled([placed.id]);
	}
});

test('a refund that Stripe refuses is 409 and changes nothing', async () => {
	const placed = await paid();
	/* The charge is disputed. */
	await run`UPDATE stripe_sim.charge SET disputed = true WHERE payment_intent = ${placed.payment.paymentIntentId}`;
	await owner.refuse(409, 'refund_refused', 'PUT', path(placed.id), { json: { status: 'refunded' } });
	const found = await order(buyer, placed.id);
	assert.deepEqual([found.status, found.payment_status], ['paid', 'succeeded']);
	await settled([placed.id]);
});

test('of many who say the same at once, one does it', async () => {
	const placed = await paid();
	const answers = await Promise.all(Array.from({ length: 8 }, () => owner.call('PUT', path(placed.id), { json: { status: 'processing' } })));
	assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(7).fill(409)]);
	assert.equal((await historyOf(placed.id)).filter(({ new_status: status }) => status === 'processing').length, 1);
});

test('one asks for a refund while another ships: one order, one end', async () => {
	const placed = await paid();
	await set(owner, placed.id, 'processing');
	await Promise.all([owner.call('PUT', path(placed.id), { json: { status: 'shipped' } }),
	    boss.call('PUT', path(placed.id), { json: { status: 'refunded' } })]);
	await untilOrder(buyer, placed.id, 'refunded');
	await settled([placed.id]);
});

test('what an operator has stopped cannot be cancelled this way either', async () => {
	const placed = await place(buyer, lines([lamp.id, 1]));
	await run`UPDATE orders.saga SET state = 'paused', wake_at = NULL WHERE order_id = ${placed.id}`;
	await owner.refuse(409, 'order_on_hold', 'PUT', path(placed.id), { json: { status: 'cancelled' } });
	await run`UPDATE orders.saga SET state = 'waiting', wake_at = now() + interval '1 hour' WHERE order_id = ${placed.id}`;
});

test('the seller of some of the items may not; an admin may', async () => {
	const other = await seller();
	const placed = await place(buyer, lines([lamp.id, 1], [(await product(other)).id, 1]));
	await pay(buyer, placed);
	for (const who of [owner, other])
		for (const status of ['processing', 'cancelled', 'refunded'])
			await who.refuse(403, 'forbidden', 'PUT', path(placed.id), { json: { status } });
	assert.equal((await set(boss, placed.id, 'processing')).status, 'processing');
});

test('its owner may not, and for other sellers it does not exist', async () => {
	const placed = await paid();
	await buyer.refuse(403, 'forbidden', 'PUT', path(placed.id), { json: { status: 'processing' } });
	const stranger = await seller();
	for (const status of ['processing', 'cancelled', 'refunded']) {
		await stranger.refuse(404, 'not_found', 'PUT', path(placed.id), { json: { status } });
		await boss.refuse(404, 'not_found', 'PUT', path(987654321987654), { json: { status } });
	}
	assert.equal((await order(buyer, placed.id)).status, 'paid');
});

test('bad input is 400, ids that are none 404', async () => {
	const placed = await paid();
	for (const status of ['lost', '', 5, null, 'PAID'])
		await owner.refuseFields(['status'], 'PUT', path(placed.id), { json: { status } });
	await owner.refuseFields(['notes', 'paid_at'], 'PUT', path(placed.id),
	    { json: { status: 'processing', notes: 'x'.repeat(501), paid_at: 1 } });
	await owner.refuse(404, 'not_found', 'PUT', path('abc'), { json: { status: 'processing' } });
});

refusesBadTokens('PUT', '/api/orders/1/status', () => owner);
refusesBadBodies('PUT', () => path(987654321987654), () => owner.token);
