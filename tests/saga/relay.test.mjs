/*
 * kill -9 at every boundary of the relay: each event arrives, in order, and is
 * told from its own repetition by its id.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashAt } from '../lib/stack.mjs';
import { addEvents, hurry, relay, relayProcess, told, trial } from '../lib/sink.mjs';
import { rows, value } from '../lib/sql.mjs';
import { Story } from '../lib/story.mjs';

for (const [point, times] of [['relay_after_claim', 1], ['relay_after_send', 2], ['relay_after_report', 1]])
	trial(`the relay dies at ${point}: nothing is lost, and nothing out of order`, async (sink) => {
		await addEvents('orders/1', 'a', 'b', 'c');
		await addEvents('orders/2', 'a', 'b', 'c');
		const died = crashAt(point);
		const { code } = await relayProcess(sink);
		await died();
		assert.notEqual(code, 0);
		assert.ok(await value`SELECT count(*) FROM ops.event WHERE state = 'waiting'` > 0);
		/* Until the lease is over they are somebody's. */
		await relay(sink);
		await hurry();
		await relay(sink);
		for (const subject of ['orders/1', 'orders/2']) {
			assert.deepEqual(told(sink, subject), times === 1 ? ['a', 'b', 'c'] : ['a', 'a', 'b', 'c']);
			const ids = sink.taken.filter((event) => event.subject === subject).map(({ id }) => id);
			assert.equal(new Set(ids).size, 3);
		}
		assert.equal(await value`SELECT count(*) FROM ops.event WHERE state <> 'sent'`, 0);
	});

test('an order that dies on its way tells its story once', async () => {
	for (const point of ['place_before_commit', 'place_after_commit', 'webhook_before_commit', 'webhook_after_commit']) {
		const story = await Story.begin();
		const died = crashAt(point);
		const placed = await story.place();
		await story.pay(placed.id);
		await died();
		await story.until(placed.id, 'paid');
		assert.deepEqual((await rows`SELECT type FROM ops.event WHERE subject = ${`orders/${placed.id}`} ORDER BY id`)
		    .map(({ type }) => type), ['order.placed', 'order.paid'], point);
		assert.equal(await value`SELECT count(*) FROM ops.event e JOIN payments.payment p ON e.subject = 'payments/' || p.id
		                          WHERE p.order_id = ${placed.id} AND e.type = 'payment.succeeded'`, 1);
	}
});
