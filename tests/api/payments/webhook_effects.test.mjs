/*
 * What an event does: once, whatever comes late, twice, at once, in another
 * order, or for something else; and that nothing is lost of what it cannot do.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { call } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';
import { cents, customer, lines, newAdmin, order, pay, place, product, seller, stockOf, untilOrder } from '../../lib/shop.mjs';
import { confirm, eventsOf, intent } from '../../lib/simulator.mjs';
import { one, rows, run, value } from '../../lib/sql.mjs';
import { deliver, event, eventId, now, signature } from '../../lib/webhook.mjs';

let buyer;
let boss;
let lamp;
const fresh = () => place(buyer, lines([lamp.id, 1]));
const told = (what) => deliver(what, { expect: 200 });
const outcome = (of) => value`SELECT outcome FROM payments.webhook_event WHERE id = ${of.id}`;
const driftOf = async (id) => (await boss.get('/api/admin/payments/drift?limit=100')).drift.filter(({ stripe_id: of }) => of === id);
const ledger = (of) => rows`SELECT kind, amount FROM payments.ledger WHERE order_id = ${of.id} ORDER BY id`;
const statusOf = async (of) => (await one`SELECT status FROM payments.payment WHERE order_id = ${of.id}`).status;
const nonceOf = (of) => value`SELECT nonce FROM payments.payment WHERE order_id = ${of.id}`;

/* What the intent of an order would be, had it been paid. */
async function succeeded(of, more = {}) {
	return { ...await intent(of.payment.paymentIntentId), status: 'succeeded', amount_received: cents(of.total_amount),
		payment_method: 'pm_1', ...more };
}

before(async () => {
	buyer = await customer();
	boss = await newAdmin();
	lamp = await product(await seller(), { stock_quantity: 1000 });
});

test('a time in the future counts like one in the past', async () => {
	const body = () => JSON.stringify(event('charge.updated', { id: 'ch_1', object: 'charge' }));
	await deliver(body(), { time: now() + 290, expect: 200 });
	const [late, sent] = [now() + 320, body()];
	const answer = await deliver(sent, { signature: signature(sent, { time: late }) });
	assert.equal(answer.json.code, 'bad_signature');
});

test('a GET, and a body that is no JSON by its type, change nothing', async () => {
	assert.equal((await call('GET', '/api/payments/webhook')).status, 405);
	/* What it is called is of no matter: the signature is of the bytes. */
	const of = event('customer.created', { id: 'cus_1', object: 'customer' });
	await deliver(of, { type: 'text/plain', expect: 200 });
	assert.equal(await outcome(of), 'stored');
});

test('two events for one change are one change', async () => {
	const of = await fresh();
	await confirm(of.payment.paymentIntentId);
	await untilOrder(buyer, of.id, 'paid');
	const [first] = await eventsOf(of.payment.paymentIntentId, 'payment_intent.succeeded');
	const before = await stockOf(lamp.id);
	const twins = Array.from({ length: 6 }, () => ({ ...first, id: eventId() }));
	await Promise.all(twins.map(told));
	for (const twin of twins)
		assert.equal(await outcome(twin), 'already');
	assert.deepEqual(await ledger(of), [{ kind: 'capture', amount: cents(of.total_amount) }]);
	assert.equal((await stockOf(lamp.id)).sold, before.sold);
	assert.equal((await buyer.get(`/api/orders/${of.id}/history`)).filter(({ new_status: s }) => s === 'paid').length, 1);
});

test('the same event from many at once is stored once, applied once', async () => {
	const of = await fresh();
	const paid = event('payment_intent.succeeded', await succeeded(of));
	await Promise.all(Array.from({ length: 20 }, () => told(paid)));
	assert.equal(await outcome(paid), 'paid');
	assert.equal((await order(buyer, of.id)).status, 'paid');
	assert.equal((await ledger(of)).length, 1);
});

/* One order per permutation: all are told at once. */
test('whatever the order events come in, the payment ends the same', async () => {
	const permutations = (list) => list.length < 2 ? [list]
	    : list.flatMap((head, i) => permutations(list.filter((_, k) => k !== i)).map((tail) => [head, ...tail]));
	await Promise.all(permutations([0, 1, 2, 3]).map(async (shuffled) => {
		const of = await fresh();
		const object = await intent(of.payment.paymentIntentId);
		const at = now() - 60;
		const story = [
			event('payment_intent.created', object, { created: at }),
			event('payment_intent.payment_failed', { ...object, last_payment_error: { code: 'card_declined', decline_code: 'lost_card', message: 'No.' } }, { created: at + 10 }),
			event('payment_intent.processing', { ...object, status: 'processing' }, { created: at + 20 }),
			event('payment_intent.succeeded', await succeeded(of), { created: at + 30 }),
		];
		for (const i of shuffled)
			await told(story[i]);
		const found = await buyer.get(`/api/payments/order/${of.id}`);
		assert.deepEqual([found.status, found.error_code, found.payment_method], ['succeeded', null, 'pm_1'], `${shuffled}`);
		assert.equal((await ledger(of)).length, 1);
	}));
});

test('an attempt of before does not undo what is known of a later one', async () => {
	const of = await fresh();
	const object = await intent(of.payment.paymentIntentId);
	const at = now() - 60;
	const processing = event('payment_intent.processing', { ...object, status: 'processing' }, { created: at + 10 });
	const declined = event('payment_intent.payment_failed', { ...object, last_payment_error: { code: 'card_declined', message: 'No.' } }, { created: at });
	await told(processing);
	await told(declined);
	assert.equal(await outcome(declined), 'stale');
	assert.equal(await statusOf(of), 'processing');

	/* The other way round each has its effect. */
	const again = await fresh();
	const other = await intent(again.payment.paymentIntentId);
	await told({ ...declined, id: eventId(), data: { object: { ...declined.data.object, id: other.id, metadata: other.metadata } } });
	assert.equal(await statusOf(again), 'failed');
	await told({ ...processing, id: eventId(), data: { object: { ...processing.data.object, id: other.id, metadata: other.metadata } } });
	assert.equal(await statusOf(again), 'processing');
});

test('an event that is about real money does not pay a rehearsal', async () => {
	const of = await fresh();
	const wrong = event('payment_intent.succeeded', await succeeded(of), { livemode: true });
	await told(wrong);
	assert.equal(await outcome(wrong), 'mismatch');
	assert.equal((await order(buyer, of.id)).status, 'confirmed');
	assert.deepEqual(await ledger(of), []);
	const [found] = await driftOf(wrong.id);
	assert.deepEqual([found.kind, found.order_id], ['event', of.id]);
	await pay(buyer, of);
});

test('what was paid is not what was asked: nothing is applied, all is kept for an operator', async () => {
	for (const [what, more] of [
		['less', { amount_received: 1 }],
		['more', { amount_received: 99999999 }],
		['another currency', { currency: 'eur' }],
		['no currency', { currency: null }],
		['metadata of another', { nonce: 'ffffffffffffffff' }],
		['no metadata but the order', { nonce: undefined }],
	]) {
		const of = await fresh();
		const { nonce = 'nonce' in more ? undefined : await nonceOf(of), ...rest } = more;
		const wrong = event('payment_intent.succeeded', await succeeded(of, { ...rest, metadata: { order_id: String(of.id), nonce } }));
		await told(wrong);
		await told({ ...wrong, id: eventId() });
		assert.ok(['mismatch', 'unknown'].includes(await outcome(wrong)), what);
		assert.equal((await order(buyer, of.id)).status, 'confirmed', what);
		assert.deepEqual(await ledger(of), [], what);
		const found = await driftOf(of.payment.paymentIntentId);
		assert.equal(found.length, 1, what);
		assert.deepEqual([found[0].kind, found[0].order_id, found[0].ours], ['mismatch', of.id, of.total_amount], what);
		assert.deepEqual(await value`SELECT payload -> 'data' -> 'object' ->> 'id' FROM payments.webhook_event WHERE id = ${wrong.id}`,
		    of.payment.paymentIntentId, 'nothing of it is lost');
	}
});

test('a payment of another shop that uses the same account is nobody\'s here', async () => {
	for (const metadata of [{}, { order_id: 'A-1' }, { cart: '5' }, null]) {
		const foreign = event('payment_intent.succeeded', { id: `pi_foreign_${eventId()}`, object: 'payment_intent', amount: 500,
			amount_received: 500, currency: 'usd', status: 'succeeded', metadata });
		await told(foreign);
		assert.equal(await outcome(foreign), 'foreign');
		assert.deepEqual(await driftOf(foreign.data.object.id), []);
	}
	for (const type of ['charge.succeeded', 'refund.created', 'charge.dispute.created']) {
		const foreign = event(type, { id: 'x_1', object: type.split('.')[0], payment_intent: 'pi_foreign', amount: 5, currency: 'usd' });
		await told(foreign);
		assert.equal(await outcome(foreign), 'foreign', type);
	}
});

test('money by our metadata, of an order we do not have, is shown to an operator', async () => {
	const lost = event('payment_intent.succeeded', { id: `pi_lost_${eventId()}`, object: 'payment_intent', amount: 500, amount_received: 500,
		currency: 'usd', status: 'succeeded', metadata: { order_id: '999999999999', nonce: '0123456789abcdef' } });
	await told(lost);
	assert.equal(await outcome(lost), 'unknown');
	const [found] = await driftOf(lost.data.object.id);
	assert.deepEqual([found.kind, found.order_id, found.ours, found.theirs], ['unknown', null, null, '5.00']);
	await run`DELETE FROM payments.drift WHERE stripe_id = ${lost.data.object.id}`;
});

test('types the shop has no use for are stored as they came', async () => {
	const odd = event('invoice.paid', { id: 'in_1', object: 'invoice', lines: { data: [{ amount: 12345678901234567890n.toString() }] } },
	    { account: 'acct_1', pending_webhooks: 2 });
	const body = JSON.stringify(odd, null, 1);
	await deliver(body, { expect: 200 });
	assert.equal(await outcome(odd), 'stored');
	assert.equal(await value`SELECT payload::text = ${body} FROM payments.webhook_event WHERE id = ${odd.id}`, true);
});

test('events are kept for 45 days, those that wait for an operator for longer', async () => {
	const ids = Array.from({ length: 3 }, eventId);
	for (const [i, days, came] of [[0, 46, 'stored'], [1, 44, 'stored'], [2, 400, 'failed']])
		await run`INSERT INTO payments.webhook_event (id, type, payload, outcome, received_at)
		          VALUES (${ids[i]}, 'x', '{}', ${came}, now() - make_interval(days => ${days}::integer))`;
	await run`INSERT INTO payments.webhook_event (id, type, payload, outcome, received_at)
	          SELECT ${ids[0]} || n, 'x', '{}', 'stored', now() - interval '50 days' FROM generate_series(1, 1500) n`;
	const purge = () => call('POST', '/internal/cron/history-purge', { token: need('SERVICE_TOKEN'), expect: 200 });
	const counts = await Promise.all([purge(), purge()]);
	assert.ok(counts.every(({ json }) => Number.isSafeInteger(json.webhooks)));
	await purge();
	assert.deepEqual(await rows`SELECT id FROM payments.webhook_event WHERE id = ANY (${`{${ids}}`}) ORDER BY received_at DESC`,
	    [{ id: ids[1] }, { id: ids[2] }]);
	assert.equal(await value`SELECT count(*) FROM payments.webhook_event WHERE id LIKE ${`${ids[0]}%`}`, 0);
	await run`DELETE FROM payments.webhook_event WHERE id = ${ids[2]}`;
});
