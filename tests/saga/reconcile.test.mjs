/*
 * What webhooks lost is found at Stripe, applied once, and told; where the
 * books differ an operator sees it, for as long as they do.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { call, exchange } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { clearFaults, fault } from '../lib/faults.mjs';
import { always, intentsOf, rest, settled } from '../lib/invariants.mjs';
import { assertMembers, assertPagination, assertTimes, cents, newAdmin, order } from '../lib/shop.mjs';
import { cancel, confirm, intent, stripe } from '../lib/simulator.mjs';
import { one, rows, run, value } from '../lib/sql.mjs';
import { crashAt, processes, signal } from '../lib/stack.mjs';
import { cron, Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';
import { deliver, dispute, event, eventId } from '../lib/webhook.mjs';

const DRIFT = '/api/admin/payments/drift';
const COUNTS = ['events', 'events_applied', 'orders', 'intents', 'intents_applied', 'orphans', 'drift'];
let boss;

before(async () => {
	boss = await newAdmin();
});
afterEach(clearFaults);

/* A run that got hold of every list and came to its end, as an operator's would. */
async function reconcile() {
	const sum = Object.fromEntries(COUNTS.map((name) => [name, 0]));
	await until('a run comes to the end of every list', async () => {
		const { json } = await cron('payments-reconcile');
		assertMembers(json, [...COUNTS, 'complete'], 'the answer');
		for (const name of COUNTS) {
			assert.ok(Number.isSafeInteger(json[name]) && json[name] >= 0, name);
			sum[name] = name === 'drift' ? json[name] : sum[name] + json[name];
		}
		return json.complete;
	}, { every: 200 });
	return sum;
}

/* One more, with nothing lost since: what is mended stays mended. */
async function quiet() {
	const again = await reconcile();
	assert.deepEqual([again.events_applied, again.intents_applied, again.orphans], [0, 0, 0]);
	return again;
}

const driftOf = async (id) => (await boss.get(`${DRIFT}?limit=100`)).drift.filter(({ stripe_id: of }) => of === id);
const sourcesOf = async (id) => (await rows`SELECT DISTINCT source FROM payments.webhook_event WHERE object_id = ${id}`).map(({ source }) => source);
const metadataOf = async (id) => {
	const { nonce } = await one`SELECT nonce FROM payments.payment WHERE order_id = ${id}`;
	return { 'metadata[order_id]': id, 'metadata[nonce]': nonce };
};
const makeIntent = async (amount, metadata = {}, more = {}) => (await stripe('POST', '/v1/payment_intents',
    { amount, currency: 'usd', ...metadata, ...more }, { key: eventId() })).json;
const isPaid = async (story, id) => (await order(story.buyer, id)).status === 'paid';

test('payments whose webhooks were lost are found, once', async () => {
	const story = await Story.begin({ stock: 20 });
	const placed = [];
	for (let i = 0; i < 5; i++)
		placed.push(await story.place());
	await fault('webhook_drop');
	for (const { payment } of placed)
		await confirm(payment.paymentIntentId);
	await reconcile();
	for (const { id, payment } of placed) {
		assert.ok(await isPaid(story, id));
		assert.deepEqual(await sourcesOf(payment.paymentIntentId), ['reconcile']);
	}
	await quiet();
	await clearFaults();
	await settled(story.orders);
	assert.equal((await story.stock()).sold, 5);
});

test('runs at once are as good as one', async () => {
	const story = await Story.begin({ stock: 20 });
	const placed = [];
	for (let i = 0; i < 6; i++)
		placed.push(await story.place());
	await fault('webhook_drop');
	await Promise.all(placed.map(({ payment }) => confirm(payment.paymentIntentId)));
	const done = await Promise.all(Array.from({ length: 6 }, () => cron('payments-reconcile')));
	await reconcile();
	assert.ok(done.every(({ json }) => json.events_applied <= 6));
	for (const { id } of placed)
		assert.ok(await isPaid(story, id));
	await settled(story.orders);
});

test('a decline, a cancellation and a refund at Stripe that were lost are found', async () => {
	const story = await Story.begin();
	const [declined, cancelled, refunded] = [await story.place(), await story.place(), await story.place()];
	await story.pay(refunded.id);
	await story.until(refunded.id, 'paid');
	await fault('webhook_drop');
	await confirm(declined.payment.paymentIntentId, 'pm_card_visa_chargeDeclinedInsufficientFunds', 402);
	await cancel(cancelled.payment.paymentIntentId);
	await stripe('POST', '/v1/refunds', { payment_intent: refunded.payment.paymentIntentId, amount: 500 });
	await reconcile();

	assert.equal((await one`SELECT status, error_code FROM payments.payment WHERE order_id = ${declined.id}`).error_code, 'insufficient_funds');
	await story.until(cancelled.id, 'cancelled');
	const { refund_amount: back } = await story.buyer.get(`/api/payments/order/${refunded.id}`);
	assert.equal(back, '5.00');
	assert.deepEqual(await rows`SELECT kind, amount FROM payments.ledger WHERE order_id = ${refunded.id} AND kind = 'refund'`,
	    [{ kind: 'refund', amount: 500 }]);
	assert.deepEqual(await driftOf(refunded.payment.paymentIntentId), []);
	await always();
});

test('an event that Stripe believes to have delivered is found too', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	/* Of a minute ago, and never sent to anybody. */
	const lost = dispute(placed.payment.paymentIntentId, cents(placed.total_amount));
	await run`INSERT INTO stripe_sim.event (id, created_at, type, data) VALUES (${eventId()}, now() - interval '70 seconds',
	          'charge.dispute.created', ${JSON.stringify({ object: lost })})`;
	await reconcile();
	assert.equal((await story.buyer.get(`/api/payments/order/${placed.id}`)).dispute_status, 'needs_response');
	await quiet();
});

test('an order that nobody looks after any more is looked up', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const id = placed.payment.paymentIntentId;
	await run`UPDATE orders.saga SET state = 'paused', wake_at = NULL, owner = NULL WHERE order_id = ${placed.id}`;
	await run`UPDATE payments.payment SET created_at = now() - interval '2 hours' WHERE order_id = ${placed.id}`;
	await run`UPDATE stripe_sim.payment_intent SET status = 'processing' WHERE id = ${id}`;
	const { orders } = await reconcile();
	assert.ok(orders >= 1);
	assert.equal(await value`SELECT status FROM payments.payment WHERE order_id = ${placed.id}`, 'processing');
	/* One that was placed just now is not: its saga does that. */
	const young = await story.place();
	await run`UPDATE stripe_sim.payment_intent SET status = 'processing' WHERE id = ${young.payment.paymentIntentId}`;
	await reconcile();
	assert.equal(await value`SELECT status FROM payments.payment WHERE order_id = ${young.id}`, 'pending');

	await run`UPDATE stripe_sim.payment_intent SET status = 'requires_payment_method' WHERE id = ANY (${`{${id},${young.payment.paymentIntentId}}`})`;
	await confirm(id);
	await story.until(placed.id, 'paid', { alarm: false });
});

test('a second intent for an order is cancelled before anybody pays it', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const second = await makeIntent(cents(placed.total_amount), await metadataOf(placed.id));
	assert.ok((await reconcile()).orphans >= 1);
	assert.equal((await intent(second.id)).status, 'canceled');
	assert.equal((await intent(placed.payment.paymentIntentId)).status, 'requires_payment_method', 'its own can still be paid');
	await quiet();
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	await settled([placed.id], { once: false });
});

test('a second payment for an order goes back', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	await fault('webhook_drop');
	const second = await makeIntent(cents(placed.total_amount), await metadataOf(placed.id));
	await confirm(second.id);
	await reconcile();
	await clearFaults();
	await until('the second payment is back', async () => {
		await story.alarm();
		return (await intentsOf(placed.id)).find(({ id }) => id === second.id).refunded === second.amount;
	}, { every: 150 });
	await rest([placed.id]);
	assert.ok(await isPaid(story, placed.id));
	await reconcile();
	assert.deepEqual(await driftOf(second.id), []);
	await settled([placed.id], { once: false });
});

test('an intent of a list page is found however many came after it', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await fault('webhook_drop');
	await confirm(placed.payment.paymentIntentId);
	await run`UPDATE stripe_sim.event SET type = 'x.' || type WHERE data -> 'object' ->> 'id' = ${placed.payment.paymentIntentId}`;
	for (let i = 0; i < 120; i++)
		await makeIntent(100);
	const { intents } = await reconcile();
	assert.ok(intents > 120, `${intents}`);
	assert.ok(await isPaid(story, placed.id));
	await settled([placed.id]);
});

test('money of an order that is not ours to know is shown; without our metadata it is left alone', async () => {
	await fault('webhook_drop');
	const unknown = await makeIntent(1234, { 'metadata[order_id]': '999999999', 'metadata[nonce]': '0123456789abcdef' });
	const foreign = await makeIntent(1234, { 'metadata[order_id]': 'A-17' });
	const bare = await makeIntent(1234);
	for (const { id } of [unknown, foreign, bare])
		await confirm(id);
	assert.ok((await reconcile()).drift >= 1);
	const [found, ...more] = await driftOf(unknown.id);
	assert.deepEqual(more, []);
	assertMembers(found, ['id', 'kind', 'stripe_id', 'order_id', 'ours', 'theirs', 'currency', 'detail', 'found_at', 'seen_at']);
	assertTimes(found, ['found_at', 'seen_at']);
	assert.deepEqual([found.kind, found.order_id, found.ours, found.theirs, found.currency], ['unknown', null, null, '12.34', 'USD']);
	for (const { id } of [foreign, bare]) {
		assert.deepEqual(await driftOf(id), []);
		assert.equal((await intent(id)).status, 'succeeded');
	}
	const still = await reconcile();
	assert.ok(still.drift >= 1);
	assert.equal((await driftOf(unknown.id))[0].id, found.id, 'it is the same one');
	assert.equal((await driftOf(unknown.id))[0].found_at, found.found_at);

	await stripe('POST', '/v1/refunds', { payment_intent: unknown.id });
	await reconcile();
	assert.deepEqual(await driftOf(unknown.id), [], 'the money has gone back');
});

test('another amount than was asked for pays nothing, and is shown until it is gone', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const id = placed.payment.paymentIntentId;
	await run`UPDATE stripe_sim.payment_intent SET amount = amount - 1 WHERE id = ${id}`;
	await reconcile();
	assert.match((await driftOf(id))[0].detail, /asks for another amount/, 'known before it is paid');
	await confirm(id);
	const found = await until('the webhook is kept as one that does not fit', async () =>
	    (await driftOf(id)).find(({ detail }) => /Not the amount/.test(detail)));
	assert.deepEqual([found.kind, found.order_id, found.ours, cents(found.theirs)],
	    ['mismatch', placed.id, placed.total_amount, cents(placed.total_amount) - 1]);
	await reconcile();
	assert.equal((await driftOf(id)).length, 1);
	assert.equal((await order(story.buyer, placed.id)).status, 'confirmed');
	assert.equal(await value`SELECT count(*) FROM payments.ledger WHERE order_id = ${placed.id}`, 0);
	await fault('webhook_drop');
	await stripe('POST', '/v1/refunds', { payment_intent: id });
	await reconcile();
	assert.deepEqual((await driftOf(id)).filter(({ kind }) => kind === 'mismatch'), []);
});

test('a ledger that says something else than Stripe is shown, until it does not', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const id = placed.payment.paymentIntentId;
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	await run`UPDATE payments.ledger SET amount = amount - 7 WHERE order_id = ${placed.id}`;
	await run`UPDATE stripe_sim.charge SET amount_refunded = 3 WHERE payment_intent = ${id}`;
	const { drift } = await reconcile();
	assert.ok(drift >= 2);
	const found = Object.fromEntries((await driftOf(id)).map((row) => [row.kind, row]));
	assert.deepEqual(Object.keys(found).sort(), ['captured', 'refunded']);
	assert.equal(cents(found.captured.theirs) - cents(found.captured.ours), 7);
	assert.deepEqual([found.refunded.ours, found.refunded.theirs], ['0.00', '0.03']);
	assert.match((await call('GET', '/metrics')).text, new RegExp(`^payments_drift(\\{[^}]*\\})? ${drift}$`, 'm'));
	const page = await boss.get(`${DRIFT}?order=${placed.id}&kind=captured`);
	assertPagination(page.pagination);
	assert.deepEqual(page.drift.map(({ id: of }) => of), [found.captured.id]);

	await run`UPDATE payments.ledger SET amount = amount + 7 WHERE order_id = ${placed.id}`;
	await run`UPDATE stripe_sim.charge SET amount_refunded = 0 WHERE payment_intent = ${id}`;
	/* Long after it was made, so that no list shows it any more. */
	await run`UPDATE stripe_sim.payment_intent SET created_at = created_at - interval '20 days' WHERE id = ${id}`;
	await reconcile();
	assert.deepEqual(await driftOf(id), []);
	await settled([placed.id]);
});

test('an event that cannot be applied is kept, and applied when it can', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	const told = event('charge.dispute.created', dispute(placed.payment.paymentIntentId, 42));
	await run`ALTER TABLE payments.dispute ADD CONSTRAINT none_of_42 CHECK (amount <> 42)`;
	try {
		for (let i = 0; i < 3; i++)
			await deliver(told, { expect: 200 });
		const kept = await one`SELECT outcome, problem FROM payments.webhook_event WHERE id = ${told.id}`;
		assert.equal(kept.outcome, 'failed');
		assert.match(kept.problem, /none_of_42/);
		assert.equal((await driftOf(told.id))[0].kind, 'event');
		await reconcile();
		assert.equal((await driftOf(told.id)).length, 1);
	} finally {
		await run`ALTER TABLE payments.dispute DROP CONSTRAINT none_of_42`;
	}
	assert.ok((await reconcile()).events_applied >= 1);
	assert.equal(await value`SELECT outcome FROM payments.webhook_event WHERE id = ${told.id}`, 'noted');
	assert.deepEqual(await driftOf(told.id), []);
});

test('an intent that cannot be compared does not keep the others from it', async () => {
	const story = await Story.begin();
	const [bad, good] = [await story.place(), await story.place()];
	await fault('webhook_drop');
	/* Only the lists of intents know of them. */
	for (const { payment } of [bad, good]) {
		await confirm(payment.paymentIntentId);
		await run`UPDATE stripe_sim.event SET type = 'x.' || type WHERE data -> 'object' ->> 'id' = ${payment.paymentIntentId}`;
	}
	const { nonce } = await one`SELECT nonce FROM payments.payment WHERE order_id = ${bad.id}`;
	await run`ALTER TABLE payments.payment ADD CONSTRAINT bad_one CHECK (nonce <> ${nonce} OR status <> 'succeeded') NOT VALID`;
	try {
		await reconcile();
		assert.ok(await isPaid(story, good.id));
		assert.match((await driftOf(bad.payment.paymentIntentId))[0].detail, /could not be compared: .*bad_one/);
	} finally {
		await run`ALTER TABLE payments.payment DROP CONSTRAINT bad_one`;
	}
	await reconcile();
	assert.ok(await isPaid(story, bad.id));
	assert.deepEqual(await driftOf(bad.payment.paymentIntentId), []);
	await settled(story.orders);
});

test('Stripe is away: a run says that it did not get through, and the next one does', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await fault('webhook_drop');
	await confirm(placed.payment.paymentIntentId);
	const asleep = processes('stripe-sim').map(({ pid }) => pid);
	signal(asleep, 'SIGSTOP');
	try {
		const { json } = await cron('payments-reconcile');
		assert.equal(json.complete, false);
		assert.equal(json.intents, 0);
	} finally {
		signal(asleep, 'SIGCONT');
	}
	await reconcile();
	assert.ok(await isPaid(story, placed.id));
	await settled([placed.id]);
});

test('a place in a list that Stripe has forgotten is looked for anew', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await fault('webhook_drop');
	await confirm(placed.payment.paymentIntentId);
	await run`UPDATE payments.walk SET until = now() + interval '1 second', after = CASE
	          WHEN name LIKE 'intents%' THEN 'pi_forgotten' ELSE 'evt_forgotten' END WHERE name <> 'orders'`;
	assert.equal((await cron('payments-reconcile')).json.complete, false);
	await reconcile();
	assert.ok(await isPaid(story, placed.id));
	assert.deepEqual(await rows`SELECT name FROM payments.walk WHERE after IS NOT NULL OR until IS NOT NULL`, []);
});

test('a run dies at work: the next one goes on', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await fault('webhook_drop');
	await confirm(placed.payment.paymentIntentId);
	const died = crashAt('reconcile_after_apply');
	await exchange(need('SOUK_URL'), 'POST', '/internal/cron/payments-reconcile',
	    { body: '', headers: { Authorization: `Bearer ${need('SERVICE_TOKEN')}` } });
	await died();
	/* Its lease runs out. */
	await run`UPDATE payments.walk SET held_until = now() WHERE held_until > now()`;
	await reconcile();
	assert.ok(await isPaid(story, placed.id));
	await settled([placed.id]);
});

test('what another run is at is left to it', async () => {
	await reconcile();
	await run`UPDATE payments.walk SET held_until = now() + interval '1 hour'`;
	try {
		const { json } = await cron('payments-reconcile');
		assert.deepEqual([json.complete, json.events, json.orders], [false, 0, 0]);
	} finally {
		await run`UPDATE payments.walk SET held_until = '-infinity'`;
	}
});

test('only services run it', async () => {
	for (const token of [undefined, 'x', boss.token])
		assert.equal((await call('POST', '/internal/cron/payments-reconcile', { token })).json.code, 'unauthenticated');
});

after(async () => {
	/* What these tests have bent. */
	await run`DELETE FROM payments.drift`;
});
