/*
 * The books after a day of everything: each movement leaves one account and
 * arrives at another, and what they come to is what Stripe's lists come to.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { clearFaults, fault } from '../lib/faults.mjs';
import { always, intentsOf, rest } from '../lib/invariants.mjs';
import { cents, newAdmin, newKey } from '../lib/shop.mjs';
import { confirm, stripe } from '../lib/simulator.mjs';
import { one, rows, run, value } from '../lib/sql.mjs';
import { Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';
import { deliver, dispute, disputeStory } from '../lib/webhook.mjs';

let boss;
before(async () => {
	boss = await newAdmin();
});

const dollars = (n) => (n / 100).toFixed(2);
const refund = (of, amount) => boss.call('POST', '/api/payments/refund',
    { json: { orderId: of.id, ...amount === undefined ? {} : { amount: dollars(amount) } }, expect: 200, key: newKey() });
const atStripe = (of, amount) => stripe('POST', '/v1/refunds', { payment_intent: of.payment.paymentIntentId, amount });

async function isDisputed(of, amount, end) {
	for (const told of disputeStory(dispute(of.payment.paymentIntentId, amount), end))
		await deliver(told, { expect: 200 });
	return [{ kind: 'dispute', amount }, ...end === 'won' ? [{ kind: 'dispute_reversal', amount }] : []];
}

test('after payments, refunds here and there, lost webhooks and disputes, the books agree', async () => {
	const story = await Story.begin({ stock: 100, price: '33.33' });
	const expected = new Map();		/* what we know to have moved besides */
	const placed = [];
	for (let i = 0; i < 9; i++)
		placed.push(await story.place({ quantity: 1 + i % 3 }));
	const [plain, partly, fully, twice, dashboard, lost, won, both, unpaid] = placed;

	for (const of of placed.slice(0, 8))
		await story.pay(of.id);
	for (const of of placed.slice(0, 8))
		await story.until(of.id, 'paid');
	await refund(partly, 1234);
	await refund(fully);
	await refund(twice, 1);
	await refund(twice, cents(twice.total_amount) - 1);
	await atStripe(dashboard, 777);
	expected.set(lost.id, await isDisputed(lost, cents(lost.total_amount), 'lost'));
	expected.set(won.id, await isDisputed(won, cents(won.total_amount), 'won'));
	await refund(both, 500);
	expected.set(both.id, await isDisputed(both, cents(both.total_amount) - 500, 'lost'));
	/* And one of each that nobody told us of. */
	await fault('webhook_drop');
	await atStripe(plain, 99);
	await confirm(unpaid.payment.paymentIntentId);
	await until('what was lost is found', async () => {
		const { json } = await call('POST', '/internal/cron/payments-reconcile', { token: need('SERVICE_TOKEN'), expect: 200 });
		return json.complete;
	});
	await clearFaults();
	await rest(story.orders);
	await always();

	for (const of of placed) {
		const moved = await rows`SELECT kind, amount FROM payments.ledger WHERE order_id = ${of.id} ORDER BY id`;
		const sum = (kind) => moved.filter((row) => row.kind === kind).reduce((total, { amount }) => total + amount, 0);
		const intents = await intentsOf(of.id);
		const told = JSON.stringify({ of: of.id, moved, intents: intents.map(({ id, amount_received: n, refunded }) => [id, n, refunded]) });

		assert.equal(sum('capture'), intents.reduce((total, { amount_received: n }) => total + n, 0), told);
		assert.equal(sum('refund'), intents.reduce((total, { refunded }) => total + refunded, 0), told);
		assert.deepEqual(moved.filter(({ kind }) => kind.startsWith('dispute')), expected.get(of.id) ?? [], told);
		/* Balanced, and each account is left with what it should be. */
		assert.equal(await value`SELECT sum(amount) FROM payments.posting WHERE order_id = ${of.id}`, 0, told);
		const kept = sum('capture') - sum('refund') - sum('dispute') + sum('dispute_reversal');
		assert.equal((await one`SELECT coalesce(sum(amount), 0) AS held FROM payments.posting
		                         WHERE order_id = ${of.id} AND account = 'stripe'`).held, kept, told);
		const payment = await story.buyer.get(`/api/payments/order/${of.id}`);
		assert.equal(cents(payment.refund_amount), sum('refund'), told);
		assert.deepEqual((await boss.get(`/api/admin/payments/drift?order=${of.id}`)).drift, [], told);
	}
	/* The whole of it: Stripe's list of charges is the sum of ours. */
	const charges = (await stripe('GET', '/v1/charges?limit=100')).json.data
	    .filter(({ payment_intent: intent, paid }) => paid && placed.some(({ payment }) => payment.paymentIntentId === intent));
	const ours = await one`SELECT sum(amount) FILTER (WHERE kind = 'capture') AS captured,
	                              sum(amount) FILTER (WHERE kind = 'refund') AS refunded
	                         FROM payments.ledger WHERE order_id = ANY (${`{${story.orders}}`})`;
	assert.equal(charges.length, placed.length);
	assert.deepEqual(ours, {
		captured: charges.reduce((total, { amount_captured: n }) => total + n, 0),
		refunded: charges.reduce((total, { amount_refunded: n }) => total + n, 0),
	});
});

test('no movement can be written twice, with nothing, or from an account to itself', async () => {
	const story = await Story.begin();
	const of = await story.place();
	await story.pay(of.id);
	await story.until(of.id, 'paid');
	for (const [kind, debit, credit, amount] of [['capture', 'stripe', 'customer', 1], ['refund', 'stripe', 'stripe', 1],
	    ['refund', 'customer', 'stripe', 0], ['refund', 'customer', 'stripe', -1], ['gift', 'customer', 'stripe', 1]])
		await assert.rejects(() => run`INSERT INTO payments.ledger (order_id, kind, debit, credit, amount, currency, stripe_id)
		    VALUES (${of.id}, ${kind}, ${debit}, ${credit}, ${amount}, 'USD', ${of.payment.paymentIntentId})`, kind);
	assert.equal(await value`SELECT count(*) FROM payments.ledger WHERE order_id = ${of.id}`, 1);
});
