/*
 * Stripe away, slow, refusing, or done with it but not saying so; webhooks
 * lost, doubled, out of order, too early.  Orders are placed all the same, and
 * the saga finishes them.
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { call } from '../lib/client.mjs';
import { clearFaults, fault, reopen } from '../lib/faults.mjs';
import { always, intentsOf, settled } from '../lib/invariants.mjs';
import { ADDRESS, assertOrder, lines, order, untilOrder } from '../lib/shop.mjs';
import { cancel, confirm, eventsOf, intent } from '../lib/simulator.mjs';
import { one } from '../lib/sql.mjs';
import { crashAt, processes, signal, skewClocks } from '../lib/stack.mjs';
import { cron, Story } from '../lib/story.mjs';
import { lasting } from '../lib/token.mjs';
import { until } from '../lib/wait.mjs';
import { deliver } from '../lib/webhook.mjs';

afterEach(clearFaults);

/* Places an order now, whatever Stripe does. */
async function placeNow(story, quantity = 1) {
	const start = Date.now();
	const { json } = await story.buyer.call('POST', '/api/orders',
	    { json: { items: lines([story.goods.id, quantity]), ...ADDRESS }, expect: 201 });
	assert.ok(Date.now() - start < 12000, `placing took ${Date.now() - start} ms`);
	assertOrder(json);
	assert.equal(json.status, 'confirmed');
	story.orders.push(json.id);
	return json;
}

for (const [name, kind, ms] of [
	['answers 500 before doing anything', 'error_before'],
	['answers 500 after doing it', 'error_after'],
	['answers 429', 'rate_limit'],
	['does it and answers too late', 'stall', 6000],
	['does it and hangs up', 'drop'],
])
	test(`Stripe ${name}: placed without a payment, completed by the saga`, async () => {
		const story = await Story.begin();
		await fault(kind, { method: 'POST', ms });
		const placed = await placeNow(story, 2);
		/* What was done all the same may have been found by looking. */
		if (kind !== 'error_after')
			assert.equal(placed.payment, null);
		assert.equal((await story.stock()).reserved, 2);
		await always();
		await clearFaults();

		const found = await story.payable(placed.id);
		assertOrder(found);
		assert.ok(found.payment.clientSecret);
		assert.equal(found.total_amount, placed.total_amount);
		assert.equal((await intentsOf(placed.id)).length, 1, 'no second intent was made');
		await story.pay(placed.id);
		await story.until(placed.id, 'paid');
		await settled([placed.id]);
	});

test('Stripe did it, says 500 for ever, and shows no list: no second intent is made', async () => {
	const story = await Story.begin();
	await fault('error_after', { method: 'POST', path: '/v1/payment_intents' });
	await fault('rate_limit', { method: 'GET', path: '/v1/payment_intents' });
	const placed = await placeNow(story);
	await until('it was asked some times', async () => {
		await story.alarm();
		return (await one`SELECT count(*) FROM orders.saga_event e JOIN orders.saga s ON s.id = e.saga_id
		                   WHERE s.order_id = ${placed.id} AND e.what = 'retry'`).count >= 4;
	}, { every: 150 });
	await clearFaults();
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	await settled([placed.id]);
});

test('clocks are wrong by a day: what Stripe did and did not tell is found all the same', async () => {
	const story = await Story.begin({ stock: 100 });
	story.buyer.token = lasting(story.buyer.token);
	await fault('error_after', { method: 'POST', path: '/v1/payment_intents' });
	skewClocks(24 * 3600);
	try {
		for (let i = 0; i < 12; i++)
			await placeNow(story);
		await until('the shop knows every intent', async () => {
			await story.alarm();
			return (await story.all()).every(({ state }) => state === 'waiting');
		}, { every: 150 });
	} finally {
		skewClocks(0);
	}
	await clearFaults();
	for (const id of story.orders)
		await story.pay(id);
	for (const id of story.orders)
		await story.until(id, 'paid');
	await settled(story.orders);
});

test('Stripe does not run: placed without a payment, completed when it is back', async () => {
	const story = await Story.begin();
	const asleep = processes('stripe-sim').map(({ pid }) => pid);
	assert.ok(asleep.length > 0, 'the simulator does not run');
	signal(asleep, 'SIGSTOP');
	let placed;
	try {
		placed = await placeNow(story, 2);
		assert.equal(placed.payment, null);
		const refused = await story.buyer.refuse(503, 'payments_unavailable', 'POST', '/api/payments/create-intent',
		    { json: { orderId: placed.id } });
		assert.match(refused.headers['retry-after'], /^\d+$/);
		/* What is known here is told. */
		const known = await story.buyer.get(`/api/payments/order/${placed.id}`);
		assert.equal(known.status, 'pending');
	} finally {
		signal(asleep, 'SIGCONT');
	}
	await story.payable(placed.id);
	const { json } = await story.buyer.call('POST', '/api/payments/create-intent',
	    { json: { orderId: placed.id }, expect: 200 });
	assert.equal((await intentsOf(placed.id)).length, 1);
	await confirm(json.id);
	await story.until(placed.id, 'paid');
	await settled([placed.id]);
});

test('no webhook ever comes: the saga looks by itself', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await fault('webhook_drop');
	await confirm(placed.payment.paymentIntentId);
	assert.equal((await order(story.buyer, placed.id)).status, 'confirmed');
	await story.until(placed.id, 'paid');
	await settled([placed.id]);
	assert.equal((await one`SELECT count(*) AS events FROM payments.webhook_event
	                         WHERE order_id = ${placed.id} AND type = 'payment_intent.succeeded'
	                           AND source = 'webhook'`).events, 0);
});

test('no webhook comes and the time to pay runs out: the money counts', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await fault('webhook_drop');
	await confirm(placed.payment.paymentIntentId);
	await story.expire();
	await story.until(placed.id, 'paid');
	await settled([placed.id]);
});

test('webhooks come twice and in the wrong order: paid once', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const id = placed.payment.paymentIntentId;
	await fault('webhook_drop');
	await confirm(id, 'pm_card_visa_chargeDeclined', 402);
	await confirm(id);
	const told = await eventsOf(id);
	assert.deepEqual(told.map(({ type }) => type),
	    ['payment_intent.created', 'payment_intent.payment_failed', 'payment_intent.succeeded']);

	for (const event of [...told].reverse())
		for (let i = 0; i < 2; i++)
			await deliver(event, { expect: 200 });
	const paid = await story.until(placed.id, 'paid');
	assert.equal(paid.payment_status, 'succeeded');
	const payment = await story.buyer.get(`/api/payments/order/${placed.id}`);
	assert.equal(payment.status, 'succeeded');
	assert.equal(payment.error_code, null);
	await settled([placed.id]);
});

test('webhooks of many orders come at once, each several times', async () => {
	const story = await Story.begin({ stock: 100 });
	const placed = [];
	for (let i = 0; i < 10; i++)
		placed.push(await story.place());
	await fault('webhook_drop');
	await Promise.all(placed.map(({ payment }) => confirm(payment.paymentIntentId)));
	const told = (await Promise.all(placed.map(({ payment }) => eventsOf(payment.paymentIntentId)))).flat();
	await Promise.all([...told, ...told, ...told].sort(() => Math.random() - 0.5).map((event) => deliver(event, { expect: 200 })));
	for (const { id } of placed)
		await story.until(id, 'paid', { alarm: false });
	await settled(story.orders);
	assert.equal((await story.stock()).sold, 10);
});

test('the webhook comes before the shop has noted the intent', async () => {
	const story = await Story.begin();
	const died = crashAt('intent_after_call');
	await story.ask();
	await died();
	const id = await story.left();
	const [made] = await intentsOf(id);
	await confirm(made.id);
	await story.until(id, 'paid', { alarm: false });
	assert.equal((await order(story.buyer, id)).payment.paymentIntentId, made.id);
	await settled([id]);
});

test('declined, declined, paid: stock stays held throughout', async () => {
	const story = await Story.begin();
	const placed = await story.place({ quantity: 3 });
	for (const card of ['pm_card_visa_chargeDeclined', 'pm_card_visa_chargeDeclinedInsufficientFunds']) {
		await confirm(placed.payment.paymentIntentId, card, 402);
		assert.equal((await story.stock()).reserved, 3);
	}
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	await settled([placed.id]);
});

test('an order not paid in time is undone: intent cancelled, stock back', async () => {
	const story = await Story.begin();
	const placed = await story.place({ quantity: 7 });
	assert.equal((await story.stock()).available, 3);
	await story.expire();
	const undone = await untilOrder(story.buyer, placed.id, 'cancelled');
	assertOrder(undone);
	assert.equal(undone.payment_status, 'cancelled');
	assert.notEqual(undone.cancelled_at, null);
	assert.deepEqual(await story.stock(), { received: 10, available: 10, reserved: 0, sold: 0 });
	assert.equal((await intent(placed.payment.paymentIntentId)).status, 'canceled');
	const { json: seen } = await call('GET', `/api/products/${story.goods.id}`);
	assert.equal(seen.stock_quantity, 10);
	await settled([placed.id]);
});

test('an intent cancelled at Stripe undoes its order', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await cancel(placed.payment.paymentIntentId);
	await untilOrder(story.buyer, placed.id, 'cancelled');
	await settled([placed.id]);
});

test('Stripe is away when an order is to be undone: stock stays held until it is back', async () => {
	const story = await Story.begin();
	const placed = await story.place({ quantity: 2 });
	await fault('error_before');
	await story.expire();
	await cron('reservations-expire');
	assert.equal((await story.stock()).reserved, 2);
	assert.equal((await order(story.buyer, placed.id)).status, 'confirmed');
	await always();
	await clearFaults();
	await story.until(placed.id, 'cancelled');
	await settled([placed.id]);
});

/*
 * An order is undone, and then its money comes all the same: as when the
 * cancellation that Stripe confirmed was of another attempt.
 */
async function lateMoney(story, placed) {
	await story.expire();
	await story.until(placed.id, 'cancelled');
	await reopen(placed.payment.paymentIntentId);
	await confirm(placed.payment.paymentIntentId);
}

test('money that comes late takes the stock again', async () => {
	const story = await Story.begin({ stock: 5 });
	const placed = await story.place({ quantity: 5 });
	await lateMoney(story, placed);
	const paid = await story.until(placed.id, 'paid');
	assert.equal(paid.cancelled_at, null);
	assert.deepEqual(await story.stock(), { received: 5, available: 0, reserved: 0, sold: 5 });
	await settled([placed.id]);
});

test('money that comes late, with the stock gone, goes back', async () => {
	const story = await Story.begin({ stock: 5 });
	const placed = await story.place({ quantity: 5 });
	await story.expire();
	await story.until(placed.id, 'cancelled');
	const second = await story.place({ quantity: 1 });
	await story.pay(second.id);
	await story.until(second.id, 'paid');

	await lateMoney(story, placed);
	await until('the money is back', async () => {
		await story.alarm();
		return (await one`SELECT coalesce(sum(amount), 0) AS back FROM payments.ledger
		                   WHERE order_id = ${placed.id} AND kind = 'refund'`).back > 0;
	}, { every: 150 });
	const found = await order(story.buyer, placed.id);
	assert.equal(found.status, 'cancelled');
	assert.equal(found.payment_status, 'refunded');
	await settled([placed.id, second.id]);
	assert.deepEqual(await story.stock(), { received: 5, available: 4, reserved: 0, sold: 1 });
});
