/*
 * Webhooks of many orders: each told several times, as several events, late,
 * early and at once, by processes that die, while sagas, look-ups and a
 * reconciliation are at the same orders.
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { clearFaults, fault } from '../lib/faults.mjs';
import { always, settled } from '../lib/invariants.mjs';
import { cents } from '../lib/shop.mjs';
import { confirm, eventsOf } from '../lib/simulator.mjs';
import { one, rows, value } from '../lib/sql.mjs';
import { kill, workers } from '../lib/stack.mjs';
import { Story } from '../lib/story.mjs';
import { parallel, until } from '../lib/wait.mjs';
import { deliver, dispute, disputeStory, event, eventId } from '../lib/webhook.mjs';

afterEach(clearFaults);

const shuffled = (list) => list.map((value) => [Math.random(), value]).sort(([a], [b]) => a - b).map(([, value]) => value);

/* As Stripe: again and again until it is taken. */
const send = (what) => until(`event ${what.id} is taken`, async () => {
	try {
		return (await deliver(what)).status === 200;
	} catch (error) {
		if (error.code === 'ERR_ASSERTION' && !/500 is a bug/.test(error.message))
			throw error;
		return false;		/* whoever had it died */
	}
}, { every: 20 });

const service = (name) => call('POST', `/internal/cron/${name}`, { token: need('SERVICE_TOKEN') });

test('every delivery there can be, at once, with processes dying: each has its effect once', async () => {
	const story = await Story.begin({ stock: 100 });
	const placed = [];
	for (let i = 0; i < 12; i++)
		placed.push(await story.place({ quantity: 1 + i % 3 }));
	await fault('webhook_drop');
	await parallel(4, placed.map(({ payment }, i) => async () => {
		if (i % 3 === 0)
			await confirm(payment.paymentIntentId, 'pm_card_visa_chargeDeclined', 402);
		await confirm(payment.paymentIntentId);
	}));

	/* What Stripe has to tell, and tells: every event three times, and every
	 * second one as another event too; disputes after the payments. */
	const facts = (await Promise.all(placed.map(({ payment }) => eventsOf(payment.paymentIntentId)))).flat();
	const disputes = placed.slice(0, 6).flatMap((of, i) =>
	    disputeStory(dispute(of.payment.paymentIntentId, cents(of.total_amount)), i % 2 ? 'won' : 'lost'));
	const all = [...facts, ...disputes];
	const twins = all.filter((_, i) => i % 2).map((fact) => ({ ...fact, id: eventId() }));
	const deliveries = shuffled([...all, ...all, ...all, ...twins]);
	let left = deliveries.length;
	/* As fast as the machine can bear: one dies when another delivery was taken. */
	const killer = (async () => {
		for (let before = left + 1; left > 0;) {
			if (left < before) {
				before = left;
				kill(shuffled(workers('payments-webhook')).slice(0, 1));
			}
			await new Promise((done) => setTimeout(done, 100));
		}
	})();
	await Promise.all([
		parallel(12, deliveries.map((what) => async () => {
			await send(what);
			left--;
		})),
		parallel(2, Array.from({ length: 10 }, (_, i) => async () => {
			await story.alarm();
			await service(i % 2 ? 'saga-recover' : 'payments-reconcile');
		})),
		parallel(3, placed.map((of) => () => story.buyer.get(`/api/payments/order/${of.id}`))),
		killer,
	]).finally(() => {
		left = 0;
	});
	await always();

	for (const of of placed)
		await story.until(of.id, 'paid');
	await settled(story.orders);
	assert.equal((await story.stock()).sold, placed.reduce((sum, { items }) => sum + items[0].quantity, 0));
	for (const [i, of] of placed.entries()) {
		assert.equal(await value`SELECT count(*) FROM orders.history WHERE order_id = ${of.id} AND new_status = 'paid'`, 1);
		const kinds = await rows`SELECT kind, amount FROM payments.ledger WHERE order_id = ${of.id} ORDER BY kind`;
		const moved = ['capture', ...i < 6 ? i % 2 ? ['dispute', 'dispute_reversal'] : ['dispute'] : []];
		assert.deepEqual(kinds, moved.map((kind) => ({ kind, amount: cents(of.total_amount) })));
		if (i < 6)
			assert.equal((await one`SELECT status FROM payments.dispute WHERE order_id = ${of.id}`).status, i % 2 ? 'won' : 'lost');
	}
	/* Each is stored, once. */
	const ids = [...all, ...twins].map(({ id }) => id);
	assert.equal(await value`SELECT count(*) FROM payments.webhook_event WHERE id = ANY (${`{${ids}}`})`, ids.length);
	assert.deepEqual(await rows`SELECT id, outcome FROM payments.webhook_event WHERE id = ANY (${`{${ids}}`})
	                             AND outcome IN ('failed', 'mismatch', 'unknown', 'foreign')`, []);
});

test('two events that contradict each other, of one second and at once, end in one state', async () => {
	const story = await Story.begin({ stock: 20 });
	for (let i = 0; i < 5; i++) {
		const of = await story.place();
		await story.pay(of.id);
		await story.until(of.id, 'paid');
		const opened = dispute(of.payment.paymentIntentId, cents(of.total_amount));
		const states = ['needs_response', 'under_review', 'lost'].map((status) =>
		    event('charge.dispute.updated', { ...opened, status }, { created: opened.created }));
		await Promise.all(shuffled([...states, ...states]).map(send));
		assert.equal((await one`SELECT status FROM payments.dispute WHERE order_id = ${of.id}`).status, 'lost');
	}
	await always();
});
