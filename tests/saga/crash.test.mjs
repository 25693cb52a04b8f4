/*
 * kill -9 at every boundary of the saga: whatever is the last thing a process
 * did, the order is finished by others, once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clearFaults, fault } from '../lib/faults.mjs';
import { settled, always, intentsOf } from '../lib/invariants.mjs';
import { newKey, order } from '../lib/shop.mjs';
import { confirm, intent, stripe } from '../lib/simulator.mjs';
import { one, rows } from '../lib/sql.mjs';
import { crashAt } from '../lib/stack.mjs';
import { Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';

/* The process that places an order dies on the way. */
for (const point of ['place_before_commit', 'place_after_commit', 'intent_before_call', 'intent_after_call',
    'intent_after_checkpoint'])
	for (const ending of ['paid', 'cancelled'])
		test(`placing dies at ${point}: placed once, ${ending}`, async () => {
			const story = await Story.begin();
			const key = newKey();
			const died = crashAt(point);
			const placed = await story.place({ quantity: 3, key });
			await died();
			await always();

			/* Its answer is still to be had. */
			assert.equal((await story.place({ quantity: 3, key })).id, placed.id);
			assert.deepEqual((await story.all()).map(({ id }) => id), [placed.id]);
			assert.equal((await story.stock()).reserved, 3);
			await story.payable(placed.id);
			if (ending === 'paid')
				await story.pay(placed.id);
			else
				await story.expire();
			await story.until(placed.id, ending);
			await settled([placed.id]);
			assert.deepEqual(await story.stock(), ending === 'paid'
				? { received: 10, available: 7, reserved: 0, sold: 3 }
				: { received: 10, available: 10, reserved: 0, sold: 0 });
		});

test('placing dies and nobody asks again: the saga goes on by itself', async () => {
	for (const point of ['place_after_commit', 'intent_after_call']) {
		const story = await Story.begin();
		const died = crashAt(point);
		await story.ask();
		await died();
		const id = await story.left();
		await story.alarm();
		await until('the saga waits for the payment', async () => (await story.all())[0].state === 'waiting');
		assert.equal((await intentsOf(id)).length, 1);
		await story.pay(id);
		await story.until(id, 'paid');
		await settled([id]);
	}
});

for (const point of ['webhook_before_commit', 'webhook_after_commit'])
	test(`the webhook dies at ${point}: paid once`, async () => {
		const story = await Story.begin();
		const placed = await story.place({ quantity: 2 });
		const died = crashAt(point);

		await confirm(placed.payment.paymentIntentId);
		await died();
		await always();
		await story.until(placed.id, 'paid');
		await settled([placed.id]);
		assert.deepEqual(await story.stock(), { received: 10, available: 8, reserved: 0, sold: 2 });
	});

for (const point of ['compensate_before_cancel', 'compensate_after_cancel', 'compensate_after_commit'])
	test(`undoing dies at ${point}: undone once`, async () => {
		const story = await Story.begin();
		const placed = await story.place({ quantity: 4 });
		const died = crashAt(point);

		await story.expire();
		await died();
		await always();
		await story.until(placed.id, 'cancelled');
		await settled([placed.id]);
		assert.equal((await intent(placed.payment.paymentIntentId)).status, 'canceled');
		assert.deepEqual(await story.stock(), { received: 10, available: 10, reserved: 0, sold: 0 });
	});

test('undoing dies before it cancels, and the buyer pays meanwhile: paid', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const died = crashAt('compensate_before_cancel');

	await story.expire();
	await died();
	await confirm(placed.payment.paymentIntentId);
	await story.until(placed.id, 'paid');
	await settled([placed.id]);
});

test('undoing dies before it cancels, the buyer pays, and no webhook comes: paid', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const died = crashAt('compensate_before_cancel');

	await story.expire();
	await died();
	await fault('webhook_drop');
	try {
		await confirm(placed.payment.paymentIntentId);
		await story.until(placed.id, 'paid');
	} finally {
		await clearFaults();
	}
	await settled([placed.id]);
});

test('a sweeper dies with what it has claimed: another takes over', async () => {
	const story = await Story.begin();
	const first = crashAt('intent_before_call');
	await story.ask();
	await first();
	const id = await story.left();
	const died = crashAt('recover_after_claim');
	await story.alarm();
	await died();
	await always();

	await story.payable(id);
	await story.pay(id);
	await story.until(id, 'paid');
	await settled([id]);
});

/* A second intent for an order, as a key given up may leave one. */
async function orphan(story, placed) {
	const { nonce } = await one`SELECT nonce FROM payments.payment WHERE order_id = ${placed.id}`;
	const own = await intent(placed.payment.paymentIntentId);
	const made = (await stripe('POST', '/v1/payment_intents', {
		amount: own.amount, currency: own.currency,
		...Object.fromEntries(Object.entries({ ...own.metadata, nonce }).map(([name, value]) => [`metadata[${name}]`, value])),
	})).json;
	await confirm(made.id);
	return made;
}

for (const point of [null, 'refund_before_call', 'refund_after_call'])
	test(`money without an order goes back once${point ? `, though the refund dies at ${point}` : ''}`, async () => {
		const story = await Story.begin();
		const placed = await story.place();
		await story.pay(placed.id);
		await story.until(placed.id, 'paid');

		const died = point && crashAt(point);
		const made = await orphan(story, placed);
		await died?.();
		await until('the money is back', async () => {
			await story.alarm();
			const [refund] = await rows`SELECT state FROM orders.saga
			                             WHERE order_id = ${placed.id} AND kind = 'refund'`;
			return refund?.state === 'done';
		}, { every: 150 });
		await settled([placed.id], { once: false });
		const refunds = (await stripe('GET', `/v1/refunds?payment_intent=${made.id}`)).json.data;
		assert.deepEqual(refunds.map(({ amount }) => amount), [made.amount]);
		assert.equal((await order(story.buyer, placed.id)).status, 'paid');
	});
