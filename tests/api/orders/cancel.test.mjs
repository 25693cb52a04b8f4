import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { call } from '../../lib/client.mjs';
import { settled } from '../../lib/invariants.mjs';
import { assertMembers, assertOrder, cents, customer, lines, newAdmin, order, pay, place, product, seller, stockOf, untilOrder } from '../../lib/shop.mjs';
import { confirm, intent, stripe } from '../../lib/simulator.mjs';
import { rows, run } from '../../lib/sql.mjs';

let owner;
let buyer;
let lamp;
let open;	/* for bodies: one that is none cancels it */
const path = (id) => `/api/orders/${id}/cancel`;
const fresh = (quantity = 1) => place(buyer, lines([lamp.id, quantity]));
const cancel = async (who, id, json = {}) => (await who.call('POST', path(id), { json, expect: 200 })).json;
const historyOf = (id) => buyer.get(`/api/orders/${id}/history`);
const refundsOf = async (placed) => (await stripe('GET', `/v1/refunds?payment_intent=${placed.payment.paymentIntentId}`)).json.data;

before(async () => {
	owner = await seller();
	buyer = await customer();
	lamp = await product(owner, { stock_quantity: 1000 });
	open = await fresh();
});

const steps = (placed, ...statuses) => statuses.reduce(async (last, status) => {
	await last;
	return (await owner.call('PUT', `/api/orders/${placed.id}/status`, { json: { status }, expect: 200 })).json;
}, null);

test('an unpaid order: its intent is cancelled and its stock comes back', async () => {
	const wares = await product(owner, { stock_quantity: 10 });
	const placed = await place(buyer, lines([wares.id, 4]));
	const answer = await cancel(buyer, placed.id, { reason: 'Ordered by mistake' });

	assertMembers(answer, ['message', 'order'], 'the answer');
	assert.match(answer.message, /cancelled/);
	assertOrder(answer.order);
	assert.equal(answer.order.status, 'cancelled');
	assert.equal(answer.order.payment_status, 'cancelled');
	assert.notEqual(answer.order.cancelled_at, null);
	assert.deepEqual(answer.order, await order(buyer, placed.id));
	assert.equal((await intent(placed.payment.paymentIntentId)).status, 'canceled');
	assert.deepEqual(await stockOf(wares.id), { received: 10, available: 10, reserved: 0, sold: 0 });
	assert.equal((await call('GET', `/api/products/${wares.id}`, { expect: 200 })).json.stock_quantity, 10);
	const last = (await historyOf(placed.id)).at(-1);
	assert.deepEqual([last.old_status, last.new_status, last.changed_by, last.notes],
	    ['confirmed', 'cancelled', buyer.id, 'Ordered by mistake']);
	await settled([placed.id]);
});

test('a cancelled order cannot be paid', async () => {
	const placed = await fresh();
	await cancel(buyer, placed.id);
	await buyer.refuse(409, 'order_cancelled', 'POST', '/api/payments/create-intent', { json: { orderId: placed.id } });
	await confirm(placed.payment.paymentIntentId, 'pm_card_visa', 400);
});

for (const [name, ...way] of [['paid'], ['in the works', 'processing']])
	test(`an order that is ${name}: stock comes back, and all of the money`, async () => {
		const wares = await product(owner, { stock_quantity: 10 });
		const placed = await place(buyer, lines([wares.id, 3]));
		await pay(buyer, placed);
		await steps(placed, ...way);
		const { order: found } = await cancel(buyer, placed.id, { reason: 'Too late' });

		assertOrder(found);
		assert.deepEqual([found.status, found.payment_status], ['cancelled', 'refunded']);
		assert.notEqual(found.paid_at, null);
		assert.deepEqual(await stockOf(wares.id), { received: 10, available: 10, reserved: 0, sold: 0 });
		assert.equal((await call('GET', `/api/products/${wares.id}`, { expect: 200 })).json.stock_quantity, 10);
		assert.deepEqual((await refundsOf(placed)).map(({ amount, reason }) => [amount, reason]),
		    [[cents(placed.total_amount), 'requested_by_customer']]);
		const payment = await buyer.get(`/api/payments/order/${placed.id}`);
		assert.equal(payment.status, 'refunded');
		assert.equal(payment.refund_amount, placed.total_amount);
		const last = (await historyOf(placed.id)).at(-1);
		assert.deepEqual([last.new_status, last.changed_by, last.notes], ['cancelled', buyer.id, 'Too late']);
		await settled([placed.id]);
	});

test('after a partial refund only the rest goes back', async () => {
	const boss = await newAdmin();
	const placed = await fresh(2);
	await pay(buyer, placed);
	await boss.call('POST', '/api/payments/refund', { json: { orderId: placed.id, amount: '5.00' }, expect: 200 });
	const { order: found } = await cancel(buyer, placed.id);
	assert.deepEqual([found.status, found.payment_status], ['cancelled', 'refunded']);
	assert.deepEqual((await refundsOf(placed)).map(({ amount }) => amount), [cents(placed.total_amount) - 500, 500]);
	await settled([placed.id]);
});

test('an admin cancels anybody\'s, and the history says who', async () => {
	const boss = await newAdmin();
	const placed = await fresh();
	const { order: found } = await cancel(boss, placed.id);
	assert.equal(found.status, 'cancelled');
	assert.equal(found.payment?.clientSecret ?? null, null);
	const last = (await historyOf(placed.id)).at(-1);
	assert.deepEqual([last.changed_by, last.notes], [boss.id, 'Cancelled on request']);
});

test('cancelling twice is 200, and done once', async () => {
	const wares = await product(owner, { stock_quantity: 10 });
	for (const paid of [false, true]) {
		const placed = await place(buyer, lines([wares.id, 2]));
		if (paid)
			await pay(buyer, placed);
		const first = await cancel(buyer, placed.id, { reason: 'First' });
		const again = await cancel(buyer, placed.id, { reason: 'Second' });
		assert.deepEqual(again, first);
		assert.equal((await stockOf(wares.id)).available, 10);
		assert.equal((await refundsOf(placed)).length, paid ? 1 : 0);
		const cancelled = (await historyOf(placed.id)).filter(({ new_status: status }) => status === 'cancelled');
		assert.deepEqual(cancelled.map(({ notes }) => notes), ['First']);
	}
});

for (const paid of [false, true])
	test(`ten cancel a ${paid ? 'paid' : 'unpaid'} order at once: done once, and all are told`, async () => {
		const wares = await product(owner, { stock_quantity: 10 });
		const placed = await place(buyer, lines([wares.id, 7]));
		if (paid)
			await pay(buyer, placed);
		const answers = await Promise.all(Array.from({ length: 10 }, () => cancel(buyer, placed.id)));
		for (const { order: found } of answers)
			assert.equal(found.status, 'cancelled');
		assert.deepEqual(await stockOf(wares.id), { received: 10, available: 10, reserved: 0, sold: 0 });
		assert.equal((await historyOf(placed.id)).filter(({ new_status: status }) => status === 'cancelled').length, 1);
		await settled([placed.id]);
		assert.equal((await refundsOf(placed)).length, paid ? 1 : 0);
	});

test('what has been shipped, delivered or refunded is 409', async () => {
	const boss = await newAdmin();
	const placed = await fresh();
	await pay(buyer, placed);
	await steps(placed, 'processing', 'shipped');
	await buyer.refuse(409, 'order_shipped', 'POST', path(placed.id), { json: {} });
	await steps(placed, 'delivered');
	await buyer.refuse(409, 'order_shipped', 'POST', path(placed.id), { json: {} });
	await boss.call('POST', '/api/payments/refund', { json: { orderId: placed.id }, expect: 200 });
	await untilOrder(buyer, placed.id, 'refunded');
	await buyer.refuse(409, 'order_refunded', 'POST', path(placed.id), { json: {} });
	await settled([placed.id]);
});

test('what an operator has stopped is 409', async () => {
	const placed = await fresh();
	await run`UPDATE orders.saga SET state = 'paused', wake_at = NULL WHERE order_id = ${placed.id}`;
	await buyer.refuse(409, 'order_on_hold', 'POST', path(placed.id), { json: {} });
	await run`UPDATE orders.saga SET state = 'waiting', wake_at = now() WHERE order_id = ${placed.id}`;
	assert.equal((await cancel(buyer, placed.id)).order.status, 'cancelled');
});

test('somebody else\'s order does not exist, its seller\'s included', async () => {
	const placed = await fresh();
	for (const who of [await customer(), await seller(), owner])
		await who.refuse(404, 'not_found', 'POST', path(placed.id), { json: {} });
	await buyer.refuse(404, 'not_found', 'POST', path(987654321987654), { json: {} });
	assert.equal((await order(buyer, placed.id)).status, 'confirmed');
});

test('ids that are none are 404, reasons out of bounds 400', async () => {
	const placed = await fresh();
	for (const id of ['abc', '0', '-1', '1.5', '9223372036854775808'])
		await buyer.refuse(404, 'not_found', 'POST', path(id), { json: {} });
	for (const reason of ['', 'x'.repeat(501), 5, ['x'], {}])
		await buyer.refuseFields(['reason'], 'POST', path(placed.id), { json: { reason } });
	await buyer.refuseFields(['status'], 'POST', path(placed.id), { json: { status: 'cancelled' } });
	assert.equal((await order(buyer, placed.id)).status, 'confirmed');
});

test('who is erased leaves no words behind', async () => {
	const who = await customer();
	const placed = await place(who, lines([lamp.id, 1]));
	await who.call('POST', path(placed.id), { json: { reason: 'My aunt has died' }, expect: 200 });
	await who.call('DELETE', '/api/users/profile', { json: { password: who.password }, expect: 200 });
	assert.deepEqual(await rows`SELECT o.cancel_by, o.cancel_reason, h.notes FROM orders.orders o JOIN orders.history h ON h.order_id = o.id
	                             WHERE o.id = ${placed.id} AND h.new_status = 'cancelled'`,
	    [{ cancel_by: who.id, cancel_reason: null, notes: null }]);
	assert.deepEqual(await rows`SELECT e.detail FROM orders.saga_event e JOIN orders.saga s ON s.id = e.saga_id
	                             WHERE s.order_id = ${placed.id} AND e.detail LIKE ${'%aunt%'}`, []);
});

test('no body is a body without a reason', async () => {
	const placed = await fresh();
	assert.equal((await buyer.call('POST', path(placed.id), { expect: 200 })).json.order.status, 'cancelled');
});

let somebody;
refusesBadTokens('POST', '/api/orders/1/cancel', async () => somebody ??= await customer());
refusesBadBodies('POST', () => path(open.id), () => buyer.token);
