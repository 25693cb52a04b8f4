/*
 * Many orchestrators, one saga: leases, and the epochs that fence off those
 * who come back from the dead.
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { clearFaults, fault } from '../lib/faults.mjs';
import { always, settled } from '../lib/invariants.mjs';
import { confirm, intent } from '../lib/simulator.mjs';
import { one, raw, rows, run, value } from '../lib/sql.mjs';
import { signal, workers } from '../lib/stack.mjs';
import { cron, Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';

afterEach(clearFaults);

test('sweepers racing for many sagas undo each once', async () => {
	const story = await Story.begin({ stock: 100 });
	for (let i = 0; i < 12; i++)
		await story.place();
	await story.expire();
	await Promise.all(Array.from({ length: 12 }, (_, i) => cron(i % 2 ? 'saga-recover' : 'reservations-expire')));
	for (const id of story.orders)
		await story.until(id, 'cancelled');
	await settled(story.orders);
	const compensations = await rows`
		SELECT s.order_id, count(*) AS times FROM orders.saga_event e JOIN orders.saga s ON s.id = e.saga_id
		 WHERE s.order_id = ANY (${`{${story.orders}}`}) AND e.what = 'compensated' AND e.step = 'reserve_stock'
		 GROUP BY 1`;
	assert.deepEqual(new Set(compensations.map(({ times }) => times)), new Set([1]));
	assert.equal(compensations.length, 12);
});

test('where there is more to do than one sweeper can, others join in', async () => {
	const story = await Story.begin({ stock: 100 });
	for (let i = 0; i < 40; i++)
		await story.place();
	/* As long as Stripe's own answers take. */
	await fault('delay', { ms: 250 });
	await story.expire();
	await until('three sweepers are at it', async () => (await value`
		SELECT count(DISTINCT owner) FROM orders.saga s JOIN orders.orders o ON o.id = s.order_id
		 WHERE o.user_id = ${story.buyer.id} AND s.wake_at > now()`) >= 3, { seconds: 60 });
	await clearFaults();
	for (const id of story.orders)
		await story.until(id, 'cancelled', { alarm: false, seconds: 60 });
	await settled(story.orders);
});

test('payment racing expiry: paid or cancelled, and Stripe decides', async () => {
	for (let i = 0; i < 12; i++) {
		const story = await Story.begin();
		const placed = await story.place();
		const paying = confirm(placed.payment.paymentIntentId, 'pm_card_visa', null);
		const expiring = story.expire().then(() => cron(i % 2 ? 'reservations-expire' : 'saga-recover'));
		await Promise.all([paying, expiring]);

		await story.expire();
		const at = await until('Stripe has decided', async () => {
			const now = (await intent(placed.payment.paymentIntentId)).status;
			return ['succeeded', 'canceled'].includes(now) && now;
		});
		await story.until(placed.id, at === 'succeeded' ? 'paid' : 'cancelled');
		await settled([placed.id]);
	}
});

test('an older epoch changes nothing, though state and step fit', async () => {
	const story = await Story.begin();
	const placed = await story.place({ quantity: 2 });
	/* Two orchestrators, by the functions that they call. */
	const claim = async (who) => {
		await run`UPDATE orders.saga SET owner = NULL WHERE order_id = ${placed.id}`;
		return one`SELECT id, epoch FROM orders.saga_claim_order(${placed.id}, ${who}, 600)`;
	};
	const state = () => one`SELECT state, epoch, step, seq FROM orders.saga WHERE order_id = ${placed.id}`;
	const old = await claim('the first');
	const now = await claim('the second');
	assert.ok(now.epoch > old.epoch);

	const before = await state();
	const fenced = async (answer) => {
		assert.equal(await answer, 'fenced');
		assert.deepEqual(await state(), before);
	};
	await fenced(value`SELECT orders.saga_compensate_v1(${old.id}, ${old.epoch}, 'too late', 600)`);
	await fenced(value`SELECT orders.saga_wait_v1(${old.id}, ${old.epoch}, 1)`);
	await fenced(value`SELECT orders.saga_retry_v1(${old.id}, ${old.epoch}, 1000, 'too late', false)`);
	await fenced(value`SELECT orders.saga_stop_v1(${old.id}, ${old.epoch}, 'dead', 'too late')`);

	/* The second undoes; the first, awake again, must not give the stock back
	 * while the intent can be paid. */
	assert.equal(await value`SELECT orders.saga_compensate_v1(${now.id}, ${now.epoch}, 'test', 600)`, 'compensating');
	assert.equal(await value`SELECT orders.saga_compensated_v1(${old.id}, ${old.epoch}, ${placed.payment.paymentIntentId})`, 'fenced');
	assert.deepEqual(await story.stock(), { received: 10, available: 8, reserved: 2, sold: 0 });
	await run`UPDATE orders.saga SET owner = NULL WHERE order_id = ${placed.id}`;
	await story.until(placed.id, 'cancelled');
	await settled([placed.id]);
});

/* What one call of a function that claims has claimed, while no sweeper can
 * come in between; the claim holds for ten minutes. */
async function claimed(order, kind, call) {
	await run`BEGIN; CREATE TEMP TABLE claimed ON COMMIT PRESERVE ROWS AS SELECT NULL::bigint AS id, NULL::integer AS epoch LIMIT 0;
		UPDATE orders.saga SET wake_at = now() - interval '1 day', owner = NULL
		 WHERE order_id = ${order} AND kind = ${kind} AND wake_at IS NOT NULL;
		INSERT INTO claimed SELECT id, epoch FROM ${raw(call)}; COMMIT`;
	const found = await one`SELECT c.*, s.epoch AS now FROM claimed c JOIN orders.saga s USING (id)
	                         WHERE s.order_id = ${order} AND s.kind = ${kind}`;
	await run`DROP TABLE claimed`;
	assert.ok(found, `${call} claimed nothing of order ${order}`);
	assert.equal(found.epoch, found.now, call);
	return found;
}

test('whoever takes a saga over fences off whoever had it: a sweep, a request, a cancellation', async () => {
	const story = await Story.begin();
	const placed = await story.place({ quantity: 2 });
	let last = await claimed(placed.id, 'order', `orders.saga_claim_order(${placed.id}, 'first', 600)`);

	for (const call of [`orders.saga_claim('a sweep', 1, 600, false)`,
	    `orders.saga_claim_order(${placed.id}, 'a request', 600)`,
	    `orders.cancel_v1(${placed.id}, ${story.buyer.id}, 'owner', 'Changed my mind', 'a cancellation', 600)`,
	    `orders.saga_claim('another sweep', 1, 600, false)`]) {
		const next = await claimed(placed.id, 'order', call);
		assert.ok(next.epoch > last.epoch, `${call} raises the epoch`);
		for (const late of [value`SELECT orders.saga_retry_v1(${last.id}, ${last.epoch}, 1000, 'too late', false)`,
		    value`SELECT orders.saga_wait_v1(${last.id}, ${last.epoch}, 1)`,
		    value`SELECT orders.saga_compensated_v1(${last.id}, ${last.epoch}, ${placed.payment.paymentIntentId})`])
			assert.equal(await late, 'fenced', call);
		assert.equal((await story.stock()).reserved, 2);
		last = next;
	}
	await run`UPDATE orders.saga SET owner = NULL WHERE order_id = ${placed.id}`;
	await story.until(placed.id, 'cancelled');
	await settled([placed.id]);
});

test('whoever takes a refund over fences off whoever had it', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	let last = await claimed(placed.id, 'refund', `payments.refund_request_v1(
		ROW(${story.buyer.id}, '127.0.0.1', 'test')::ops.caller, ${placed.id}, NULL, NULL, 'first', 600, NULL, NULL)`);
	const { subject } = await one`SELECT subject FROM orders.saga WHERE id = ${last.id}`;

	for (const call of [`orders.saga_claim_refund(${subject}, 'a request', 600)`, `orders.saga_claim('a sweep', 1, 600, false)`]) {
		const next = await claimed(placed.id, 'refund', call);
		assert.ok(next.epoch > last.epoch, `${call} raises the epoch`);
		assert.equal(await value`SELECT orders.saga_refund_refused_v1(${last.id}, ${last.epoch}, 'too late')`, 'fenced');
		assert.equal(await value`SELECT orders.saga_retry_v1(${last.id}, ${last.epoch}, 1000, 'too late', true)`, 'fenced');
		last = next;
	}
	await run`UPDATE orders.saga SET owner = NULL WHERE order_id = ${placed.id} AND kind = 'refund'`;
	await story.until(placed.id, 'refunded');
	await settled([placed.id]);
});

test('a sweeper that sleeps beyond its lease wakes to find itself fenced', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const sleepers = [...workers('cron-saga_recover'), ...workers('cron-reservations_expire')];

	await story.expire();
	/* Wherever they are now, they are stopped there, and others carry on. */
	signal(sleepers, 'SIGSTOP');
	try {
		await story.expire();
	} finally {
		signal(sleepers, 'SIGCONT');
	}
	await story.until(placed.id, 'cancelled');
	await always();
	await settled([placed.id]);
});
