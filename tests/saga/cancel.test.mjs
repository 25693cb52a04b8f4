/*
 * A cancellation that was begun ends, once: whoever dies on the way, whether
 * Stripe is there or not, and whatever else happens to the order meanwhile.
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { exchange, newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { clearFaults, fault, reopen } from '../lib/faults.mjs';
import { always, intentsOf, settled } from '../lib/invariants.mjs';
import { assertOrder, cents, newAdmin, order } from '../lib/shop.mjs';
import { confirm, intent, stripe } from '../lib/simulator.mjs';
import { one, rows, run } from '../lib/sql.mjs';
import { crashAt, processes, signal } from '../lib/stack.mjs';
import { cron, Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';

afterEach(clearFaults);

const WHOLE = { received: 10, available: 10, reserved: 0, sold: 0 };

/* The answer as it comes, of one who may die. */
function ask(story, id, reason = 'Changed my mind') {
	return exchange(need('SOUK_URL'), 'POST', `/api/orders/${id}/cancel`, {
		body: JSON.stringify({ reason }), address: newAddress(),
		headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${story.buyer.token}` },
	});
}
const cancel = async (story, id) => (await story.buyer.call('POST', `/api/orders/${id}/cancel`, { json: {}, expect: 200 })).json;
const historyOf = (id) => rows`SELECT old_status, new_status, changed_by, notes FROM orders.history WHERE order_id = ${id} ORDER BY id`;

/* As far as it must come: cancelled, all money back. */
async function gone(story, id, { paid }) {
	await story.until(id, 'cancelled');
	await until('the money is back', async () => {
		await story.alarm();
		return (await one`SELECT payment_status AS status FROM orders.orders WHERE id = ${id}`).status === (paid ? 'refunded' : 'cancelled');
	}, { every: 150 });
	await settled([id]);
	assert.deepEqual(await story.stock(), WHOLE);
}

async function begun({ paid, quantity = 4 }) {
	const story = await Story.begin();
	const placed = await story.place({ quantity });

	if (paid) {
		await story.pay(placed.id);
		await story.until(placed.id, 'paid');
	}
	return { story, placed };
}

const UNPAID = ['compensate_before_cancel', 'compensate_after_cancel', 'compensate_after_commit'];
const PAID = ['refund_before_call', 'refund_after_call', 'refund_after_checkpoint'];

for (const [paid, points] of [[false, UNPAID], [true, PAID]])
	for (const point of ['cancel_after_commit', ...points])
		test(`cancelling ${paid ? 'a paid' : 'an unpaid'} order dies at ${point}: it goes on by itself, once`, async () => {
			const { story, placed } = await begun({ paid });
			const died = crashAt(point);
			assert.ok((await ask(story, placed.id)).status >= 500);
			await died();
			await always();
			await gone(story, placed.id, { paid });
			assert.deepEqual((await historyOf(placed.id)).filter(({ new_status: status }) => status === 'cancelled')
			    .map(({ changed_by: by, notes }) => [by, notes]), [[story.buyer.id, 'Changed my mind']]);
			const again = JSON.parse((await ask(story, placed.id, 'Again')).bytes);
			assert.equal(again.order.status, 'cancelled');
			await settled([placed.id]);
			assert.deepEqual(await story.stock(), WHOLE);
		});

for (const paid of [false, true])
	test(`cancelling ${paid ? 'a paid' : 'an unpaid'} order dies before anything is written: nothing has happened`, async () => {
		const { story, placed } = await begun({ paid });
		const died = crashAt('cancel_before_commit');
		assert.ok((await ask(story, placed.id)).status >= 500);
		await died();
		assert.equal((await order(story.buyer, placed.id)).status, paid ? 'paid' : 'confirmed');
		await cancel(story, placed.id);
		await gone(story, placed.id, { paid });
	});

for (const [name, kind, ms] of [['answers 500 before doing it', 'error_before'], ['answers 500 after doing it', 'error_after'],
    ['answers 429', 'rate_limit'], ['answers too late', 'stall', 6000], ['hangs up', 'drop']])
	for (const paid of [false, true])
		test(`Stripe ${name} when ${paid ? 'a paid' : 'an unpaid'} order is cancelled: it will be`, async () => {
			const { story, placed } = await begun({ paid });
			await fault(kind, { method: 'POST', ms });
			const { order: found } = await cancel(story, placed.id);
			assertOrder(found);
			await always();
			if (paid)
				assert.equal(found.status, 'cancelled');
			/* Goods are not on sale again while they can still be paid for. */
			if (found.status !== 'cancelled')
				assert.equal((await story.stock()).reserved, 4);
			await clearFaults();
			await gone(story, placed.id, { paid });
		});

test('Stripe does not run: the cancellation is taken, and cannot be paid past', async () => {
	const { story, placed } = await begun({ paid: false });
	const asleep = processes('stripe-sim').map(({ pid }) => pid);
	signal(asleep, 'SIGSTOP');
	try {
		const { message, order: found } = await cancel(story, placed.id);
		assert.match(message, /being cancelled/);
		assert.equal(found.status, 'confirmed');
		await story.buyer.refuse(409, 'order_cancelled', 'POST', '/api/payments/create-intent', { json: { orderId: placed.id } });
	} finally {
		signal(asleep, 'SIGCONT');
	}
	await gone(story, placed.id, { paid: false });
	assert.equal((await intent(placed.payment.paymentIntentId)).status, 'canceled');
});

test('an order that never had an intent is cancelled without leaving one that can be paid', async () => {
	const story = await Story.begin();
	await fault('error_before', { method: 'POST' });
	const placed = await story.place({ quantity: 2 });
	assert.equal(placed.payment, null);
	assert.equal((await cancel(story, placed.id)).order.status, 'confirmed');
	await clearFaults();
	await gone(story, placed.id, { paid: false });
});

test('an order is cancelled while its intent is being made', async () => {
	const story = await Story.begin();
	await fault('delay', { method: 'POST', path: '/v1/payment_intents', ms: 1500 });
	const placing = story.ask({ quantity: 2 });
	const id = await story.left();
	const { order: found } = await cancel(story, id);
	const placed = JSON.parse((await placing).bytes);
	assert.equal(placed.id, id);
	assert.ok(['confirmed', 'cancelled'].includes(found.status), found.status);
	await clearFaults();
	await gone(story, id, { paid: false });
	assert.deepEqual((await intentsOf(id)).map(({ status }) => status), ['canceled']);
});

test('cancelled while it is being paid: it ends cancelled, and no money is kept', async () => {
	const ends = new Set();
	for (let i = 0; i < 16; i++) {
		const { story, placed } = await begun({ paid: false, quantity: 1 });
		const pause = new Promise((done) => { setTimeout(done, i % 4 * 4); });
		await Promise.all([confirm(placed.payment.paymentIntentId, 'pm_card_visa', null), pause.then(() => cancel(story, placed.id))]);
		await story.until(placed.id, 'cancelled');
		const { status } = await intent(placed.payment.paymentIntentId);
		await gone(story, placed.id, { paid: status === 'succeeded' });
		ends.add(status);
	}
	assert.ok([...ends].every((status) => ['succeeded', 'canceled'].includes(status)), [...ends].join());
});

test('the money was faster than a cancellation that Stripe could not be told of: all goes back', async () => {
	const { story, placed } = await begun({ paid: false });
	await fault('error_before', { method: 'POST', path: `/v1/payment_intents/${placed.payment.paymentIntentId}/cancel` });
	assert.equal((await cancel(story, placed.id)).order.status, 'confirmed');
	await confirm(placed.payment.paymentIntentId);
	await clearFaults();
	await gone(story, placed.id, { paid: true });
	assert.deepEqual((await historyOf(placed.id)).slice(-2).map(({ new_status: status, changed_by: by }) => [status, by]),
	    [['paid', null], ['cancelled', story.buyer.id]]);
});

test('late money of an order that its buyer cancelled goes back, though the goods are there', async () => {
	const { story, placed } = await begun({ paid: false });
	await cancel(story, placed.id);
	await reopen(placed.payment.paymentIntentId);
	await confirm(placed.payment.paymentIntentId);
	await gone(story, placed.id, { paid: true });
});

test('cancelled by many while it expires and is swept: undone once', async () => {
	for (let i = 0; i < 6; i++) {
		const { story, placed } = await begun({ paid: false });
		await story.expire();
		await Promise.all([cancel(story, placed.id), cron('saga-recover'), cancel(story, placed.id), cron('reservations-expire'), cancel(story, placed.id)]);
		await gone(story, placed.id, { paid: false });
		assert.equal((await historyOf(placed.id)).filter(({ new_status: status }) => status === 'cancelled').length, 1);
	}
});

test('a driver that the cancellation has fenced off changes nothing', async () => {
	const { story, placed } = await begun({ paid: false });
	const old = await one`SELECT id, epoch FROM orders.saga_claim_order(${placed.id}, ${'the first'}, 600)`;
	await cancel(story, placed.id);
	assert.equal((await one`SELECT orders.saga_wait_v1(${old.id}, ${old.epoch}, 60) AS outcome`).outcome, 'fenced');
	assert.equal((await one`SELECT orders.saga_compensate_v1(${old.id}, ${old.epoch}, ${'old'}, 60) AS outcome`).outcome, 'fenced');
	await gone(story, placed.id, { paid: false });
});

test('a cancelled order whose refund Stripe refuses needs an operator, who can have it made again', async () => {
	const { story, placed } = await begun({ paid: true });
	const charge = placed.payment.paymentIntentId;
	await run`UPDATE stripe_sim.charge SET disputed = true WHERE payment_intent = ${charge}`;
	const { order: found } = await cancel(story, placed.id);
	assert.deepEqual([found.status, found.payment_status], ['cancelled', 'succeeded']);
	const saga = () => one`SELECT id, state, subject, last_error FROM orders.saga WHERE order_id = ${placed.id} AND kind = 'refund'`;
	const dead = await saga();
	assert.equal(dead.state, 'dead');
	assert.match(dead.last_error, /charged back/);
	await always();

	await run`UPDATE stripe_sim.charge SET disputed = false WHERE payment_intent = ${charge}`;
	await run`UPDATE orders.saga SET state = 'running', wake_at = now() WHERE id = ${dead.id}`;
	await gone(story, placed.id, { paid: true });
	assert.notEqual((await saga()).subject, dead.subject);
	assert.deepEqual((await rows`SELECT status FROM payments.refund WHERE order_id = ${placed.id} ORDER BY id`).map(({ status }) => status), ['failed', 'succeeded']);
});

test('a status set to cancelled or refunded dies on the way: it goes on by itself', async () => {
	const boss = await newAdmin();
	for (const [status, point, ends] of [['cancelled', 'status_after_commit', 'cancelled'], ['refunded', 'status_after_commit', 'refunded'],
	    ['refunded', 'refund_after_call', 'refunded'], ['refunded', 'status_before_commit', 'paid']]) {
		const { story, placed } = await begun({ paid: true });
		const died = crashAt(point);
		const answer = await exchange(need('SOUK_URL'), 'PUT', `/api/orders/${placed.id}/status`, {
			body: JSON.stringify({ status, notes: 'Sold out' }), address: newAddress(),
			headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${boss.token}` },
		});
		assert.ok(answer.status >= 500);
		await died();
		await story.until(placed.id, ends);
		const last = (await until('its last word', async () => {
			await story.alarm();
			const { rest } = await one`SELECT count(*) AS rest FROM orders.saga WHERE order_id = ${placed.id} AND wake_at IS NOT NULL`;
			return rest === 0 && historyOf(placed.id);
		})).at(-1);
		if (ends !== 'paid')
			assert.deepEqual([last.new_status, last.changed_by, last.notes], [ends, boss.id, 'Sold out']);
		await settled([placed.id]);
		assert.deepEqual(await story.stock(), ends === 'paid' ? { ...WHOLE, available: 6, sold: 4 } : WHOLE);
		const refunds = (await stripe('GET', `/v1/refunds?payment_intent=${placed.payment.paymentIntentId}`)).json.data;
		assert.deepEqual(refunds.map(({ amount }) => amount), ends === 'paid' ? [] : [cents(placed.total_amount)]);
	}
});
