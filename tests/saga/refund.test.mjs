/*
 * A refund that was recorded is made, once: whoever dies on the way, and
 * whatever Stripe answers, or does not.
 */
import assert from 'node:assert/strict';
import { afterEach, before, test } from 'node:test';
import { exchange, newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { clearFaults, fault } from '../lib/faults.mjs';
import { always, settled } from '../lib/invariants.mjs';
import { newAdmin, newKey, order } from '../lib/shop.mjs';
import { stripe } from '../lib/simulator.mjs';
import { one, rows, run } from '../lib/sql.mjs';
import { crashAt, dies } from '../lib/stack.mjs';
import { cron, Story } from '../lib/story.mjs';
import { parallel, until } from '../lib/wait.mjs';

let boss;

before(async () => { boss = await newAdmin(); });
afterEach(clearFaults);

const refundsAt = async (placed) => (await stripe('GET', `/v1/refunds?payment_intent=${placed.payment.paymentIntentId}`)).json.data;
const refund = async (id, more = {}) => (await boss.call('POST', '/api/payments/refund', { json: { orderId: id, ...more }, expect: 200, address: newAddress() })).json;
const found = (id) => one`SELECT status, stripe_refund_id FROM payments.refund WHERE id = ${id}`;

async function paid({ card, price = '100.00' } = {}) {
	const story = await Story.begin({ price });
	const placed = await story.place();
	await story.pay(placed.id, card);
	await story.until(placed.id, 'paid');
	return { story, placed };
}

const back = (story, id, status = 'succeeded') => until(`refund ${id} is ${status}`, async () => {
	await story.alarm();
	return (await found(id)).status === status;
}, { every: 150 });

/* The answer as it comes, of one who may die. */
function ask(id, key, json = {}) {
	return exchange(need('SOUK_URL'), 'POST', '/api/payments/refund', {
		body: JSON.stringify({ orderId: id, ...json }), address: newAddress(),
		headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${boss.token}`, 'Idempotency-Key': key },
	});
}

for (const point of ['refund_before_commit', 'refund_after_commit', 'refund_before_call', 'refund_after_call', 'refund_after_checkpoint'])
	test(`refunding dies at ${point}: who asks again with the key has one refund`, async () => {
		const { story, placed } = await paid();
		const key = newKey();
		await dies(point, () => ask(placed.id, key, { amount: '20.00' }));
		await always();
		const made = await until('an answer', async () => {
			await run`UPDATE ops.idempotency SET created_at = now() - interval '1 hour' WHERE key = ${key} AND status IS NULL`;
			await story.alarm();
			const answer = await ask(placed.id, key, { amount: '20.00' });
			return answer.status === 200 && JSON.parse(answer.bytes);
		}, { every: 100 });
		assert.equal(made.amount, '20.00');
		await back(story, made.id);
		assert.deepEqual((await refundsAt(placed)).map(({ amount }) => amount), [2000]);
		assert.equal((await order(story.buyer, placed.id)).payment_status, 'partially_refunded');
		await settled([placed.id]);
	});

for (const point of ['refund_after_commit', 'refund_before_call', 'refund_after_call', 'refund_after_checkpoint'])
	test(`refunding dies at ${point} and nobody asks again: it goes on by itself`, async () => {
		const { story, placed } = await paid();
		await dies(point, () => ask(placed.id, newKey()));
		await story.until(placed.id, 'refunded');
		await settled([placed.id]);
		assert.equal((await refundsAt(placed)).length, 1);
		assert.equal((await story.stock()).available, 10);
	});

test('an event about a refund dies before or after it is stored: it counts once', async () => {
	for (const point of ['webhook_before_commit', 'webhook_after_commit']) {
		const { story, placed } = await paid();
		const died = crashAt(point);
		await stripe('POST', '/v1/refunds', { payment_intent: placed.payment.paymentIntentId, amount: 2000 });
		await died();
		await until('the refund is known', async () => (await order(story.buyer, placed.id)).payment_status === 'partially_refunded', { seconds: 40 });
		await settled([placed.id]);
	}
});

for (const [name, kind, ms] of [['answers 500 before doing it', 'error_before'], ['answers 500 after doing it', 'error_after'],
    ['answers 429', 'rate_limit'], ['does it and answers too late', 'stall', 6000], ['does it and hangs up', 'drop']])
	test(`Stripe ${name}: the refund is recorded, and made once`, async () => {
		const { story, placed } = await paid();
		await fault(kind, { method: 'POST', path: '/v1/refunds', ms });
		const made = await refund(placed.id, { amount: '30.00' });
		/* What was done all the same may have been found by looking, or told. */
		if (['error_before', 'rate_limit'].includes(kind))
			assert.deepEqual([made.status, made.stripe_refund_id], ['pending', null]);
		await always();
		/* It counts against what is left. */
		await boss.refuse(409, 'refund_too_large', 'POST', '/api/payments/refund', { json: { orderId: placed.id, amount: '90.01' } });
		await clearFaults();
		await back(story, made.id);
		assert.deepEqual((await refundsAt(placed)).map(({ amount }) => amount), [3000]);
		assert.equal((await order(story.buyer, placed.id)).payment_status, 'partially_refunded');
		await settled([placed.id]);
	});

test('the answer is lost, and no webhook comes: asked again by the same key, it is one refund', async () => {
	const { story, placed } = await paid();
	await fault('drop', { method: 'POST', path: '/v1/refunds' });
	await fault('webhook_drop');
	const made = await refund(placed.id, { amount: '30.00' });
	assert.deepEqual([made.status, (await refundsAt(placed)).length], ['pending', 1]);
	await run`DELETE FROM stripe_sim.fault WHERE kind = 'drop'`;
	await back(story, made.id);
	assert.deepEqual((await refundsAt(placed)).map(({ amount }) => amount), [3000]);
	await clearFaults();
	await settled([placed.id]);
});

test('Stripe has forgotten the key of a refund whose answer was lost: it is found, and not made again', async () => {
	const { story, placed } = await paid();
	await fault('drop', { method: 'POST', path: '/v1/refunds' });
	await fault('webhook_drop');
	const made = await refund(placed.id, { amount: '30.00' });
	assert.equal(made.status, 'pending');
	await clearFaults();
	await run`DELETE FROM stripe_sim.idempotency_key WHERE key LIKE ${`order-${placed.id}-%-refund-${made.id}-%`}`;
	await run`UPDATE orders.saga SET created_at = now() - interval '24 hours', wake_at = now() WHERE kind = 'refund' AND subject = ${made.id}`;
	await back(story, made.id);
	assert.deepEqual((await refundsAt(placed)).map(({ amount }) => amount), [3000]);
	await settled([placed.id]);
});

test('after three days without Stripe an operator is asked, and can have it tried again', async () => {
	const { story, placed } = await paid();
	await fault('error_before', { method: 'POST', path: '/v1/refunds' });
	const made = await refund(placed.id);
	const saga = () => one`SELECT id, state FROM orders.saga WHERE kind = 'refund' AND subject = ${made.id}`;
	await run`UPDATE orders.saga SET tried_since = now() - interval '73 hours', wake_at = now() WHERE id = ${(await saga()).id}`;
	await until('it is given up', async () => {
		await story.alarm();
		return (await saga()).state === 'dead';
	});
	assert.equal((await found(made.id)).status, 'pending');
	await always();
	await clearFaults();
	await run`UPDATE orders.saga SET state = 'running', wake_at = now() WHERE id = ${(await saga()).id}`;
	await back(story, made.id);
	await settled([placed.id]);
});

test('no webhook ever comes: whether the money has arrived is looked up', async () => {
	const { story, placed } = await paid({ card: 'pm_card_pendingRefund' });
	await fault('webhook_drop');
	const made = await refund(placed.id);
	assert.equal(made.status, 'pending');
	/* Where Stripe has just been away, it is asked a little later. */
	await until('Stripe has it', async () => {
		await story.alarm();
		return (await found(made.id)).stripe_refund_id !== null;
	});
	assert.equal((await order(story.buyer, placed.id)).status, 'paid');
	await back(story, made.id);
	assert.equal((await order(story.buyer, placed.id)).status, 'refunded');
	await settled([placed.id]);
});

test('sweepers racing for many refunds make each once', async () => {
	const many = await Promise.all(Array.from({ length: 8 }, () => paid()));
	await fault('error_before', { method: 'POST', path: '/v1/refunds' });
	const made = await parallel(4, many.map(({ placed }) => () => refund(placed.id)));
	await clearFaults();
	await Promise.all(many.map(({ story }) => story.alarm()));
	await Promise.all(Array.from({ length: 8 }, () => cron('saga-recover')));
	for (const [i, { story }] of many.entries())
		await back(story, made[i].id);
	await settled(many.map(({ placed }) => placed.id));
	for (const { placed } of many)
		assert.equal((await refundsAt(placed)).length, 1);
});

test('somebody refunds at Stripe while a refund waits here: never more than was paid', async () => {
	const { story, placed } = await paid();
	await fault('error_before', { method: 'POST', path: '/v1/refunds' });
	const made = await refund(placed.id, { amount: '100.00' });
	await clearFaults();
	await run`UPDATE orders.saga SET wake_at = now() + interval '1 hour' WHERE order_id = ${placed.id} AND wake_at IS NOT NULL`;
	await stripe('POST', '/v1/refunds', { payment_intent: placed.payment.paymentIntentId, amount: 6000 });
	await back(story, made.id, 'failed');
	const now = await order(story.buyer, placed.id);
	assert.deepEqual([now.status, now.payment_status], ['paid', 'partially_refunded']);
	await settled([placed.id]);
	assert.equal((await refund(placed.id)).amount, '60.00');
	await story.until(placed.id, 'refunded');
	await settled([placed.id]);
});

for (const [taken, left] of [[1000, [1000, 11000]], [12000, [12000]]])
	test(`what somebody takes at Stripe first (${taken}) is not owed any more, and the rest is`, async () => {
		const { story, placed } = await paid();
		assert.equal(placed.total_amount, '120.00');
		await fault('error_before', { method: 'POST', path: '/v1/refunds' });
		await story.buyer.call('POST', `/api/orders/${placed.id}/cancel`, { json: {}, expect: 200 });
		await clearFaults();
		await stripe('POST', '/v1/refunds', { payment_intent: placed.payment.paymentIntentId, amount: taken });
		await until('all is back', async () => {
			await story.alarm();
			return (await order(story.buyer, placed.id)).payment_status === 'refunded';
		}, { every: 150 });
		await settled([placed.id]);
		assert.deepEqual((await refundsAt(placed)).map(({ amount }) => amount).sort((a, b) => a - b), left);
		assert.deepEqual((await rows`SELECT state FROM orders.saga WHERE order_id = ${placed.id} AND kind = 'refund' ORDER BY id`)
		    .map(({ state }) => state), taken === 12000 ? ['compensated'] : ['compensated', 'done']);
	});

test('refunds of one order, in parts, asked for and cancelled at once', async () => {
	for (let i = 0; i < 5; i++) {
		const { story, placed } = await paid();
		await Promise.all([
			...Array.from({ length: 5 }, () => boss.call('POST', '/api/payments/refund', { json: { orderId: placed.id, amount: '10.00' }, address: newAddress() })),
			story.buyer.call('POST', `/api/orders/${placed.id}/cancel`, { json: {} }),
			stripe('POST', '/v1/refunds', { payment_intent: placed.payment.paymentIntentId, amount: 1000 }, { expect: null }),
		]);
		await until('all is back', async () => {
			await story.alarm();
			const now = await order(story.buyer, placed.id);
			if (now.payment_status === 'refunded')
				return true;
			/* What somebody took at Stripe may have cost a refund of ours its room. */
			if (now.status === 'cancelled')
				await boss.call('POST', '/api/payments/refund', { json: { orderId: placed.id }, address: newAddress() });
			throw new Error(JSON.stringify(await rows`SELECT amount, status, failure_reason FROM payments.refund WHERE order_id = ${placed.id}`));
		}, { every: 200 });
		assert.ok(['cancelled', 'refunded'].includes((await order(story.buyer, placed.id)).status));
		await settled([placed.id]);
		assert.deepEqual(await story.stock(), { received: 10, available: 10, reserved: 0, sold: 0 });
	}
});

test('an older epoch ends no refund', async () => {
	const { story, placed } = await paid();
	await fault('error_before', { method: 'POST', path: '/v1/refunds' });
	const made = await refund(placed.id);
	await clearFaults();
	const claim = async () => {
		await run`UPDATE orders.saga SET owner = NULL WHERE order_id = ${placed.id} AND kind = 'refund'`;
		return one`SELECT id, epoch FROM orders.saga_claim_refund(${made.id}, ${'somebody'}, 600)`;
	};
	const old = await claim();
	const now = await claim();
	assert.ok(now.epoch > old.epoch);
	for (const call of ['saga_refund_refused_v1($, $, \'old\')', 'saga_refund_pending_v1($, $, 60)']) {
		const [saga, epoch] = [old.id, old.epoch];
		const statement = call.replace('$', saga).replace('$', epoch);
		assert.equal((await one`SELECT ${{ sql: `orders.${statement}` }} AS outcome`).outcome, 'fenced');
	}
	assert.equal((await found(made.id)).status, 'pending');
	await back(story, made.id);
	await settled([placed.id]);
});
