/*
 * Disputes as Stripe makes them: opened by the card, answered, won or lost,
 * their webhooks delivered or not.
 */
import assert from 'node:assert/strict';
import { afterEach, before, test } from 'node:test';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { clearFaults, fault } from '../lib/faults.mjs';
import { always } from '../lib/invariants.mjs';
import { cents, newAdmin } from '../lib/shop.mjs';
import { stripe } from '../lib/simulator.mjs';
import { rows } from '../lib/sql.mjs';
import { Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';

let boss;
before(async () => {
	boss = await newAdmin();
});
afterEach(clearFaults);

const theirs = async (of) => (await stripe('GET', `/v1/disputes?payment_intent=${of.payment.paymentIntentId}`)).json.data[0];
const ours = async (of) => (await boss.get(`/api/admin/disputes?order=${of.id}`)).disputes[0];
const movements = (of) => rows`SELECT kind, amount FROM payments.ledger WHERE order_id = ${of.id} AND kind LIKE 'dispute%' ORDER BY id`;
const answer = {
	won: ({ id }) => stripe('POST', `/v1/disputes/${id}`, { 'evidence[uncategorized_text]': 'winning_evidence', submit: 'true' }),
	lost: ({ id }) => stripe('POST', `/v1/disputes/${id}/close`, {}),
};
const look = () => until('a run comes to the end of every list', async () =>
	(await call('POST', '/internal/cron/payments-reconcile', { token: need('SERVICE_TOKEN'), expect: 200 })).json.complete);

for (const end of ['won', 'lost'])
	for (const lost of [false, true])
		test(`a dispute that is ${end}${lost ? ', and no webhook comes' : ''}`, async () => {
			const story = await Story.begin();
			const of = await story.place();
			if (lost)
				await fault('webhook_drop', { event: 'charge.dispute.created' });
			await story.pay(of.id, 'pm_card_createDispute');
			await story.until(of.id, 'paid');
			if (lost) {
				await clearFaults();
				await fault('webhook_drop');
			}
			const opened = await until('Stripe has opened it', () => theirs(of));
			await answer[end](opened);
			const over = await until('it is over at Stripe', async () => {
				const found = await theirs(of);
				return found.status === end && found;
			});
			const found = await until('and here', async () => {
				if (lost)
					await look();
				const dispute = await ours(of);
				return dispute?.status === end && dispute.funds === (end === 'won' ? 'reinstated' : 'withdrawn') && dispute;
			}, { every: 100 });
			assert.deepEqual([found.stripe_dispute_id, cents(found.amount), found.reason], [over.id, over.amount, over.reason]);
			/* Stripe's own movements are ours. */
			assert.deepEqual((await movements(of)).map(({ kind, amount }) => kind === 'dispute' ? -amount : amount).sort(),
			    over.balance_transactions.map(({ amount }) => amount).sort());
			await look();
			assert.deepEqual((await boss.get(`/api/admin/payments/drift?order=${of.id}`)).drift, []);
			await always();
		});

test('an inquiry takes nothing', async () => {
	const story = await Story.begin();
	const of = await story.place();
	await story.pay(of.id, 'pm_card_createDisputeInquiry');
	const found = await until('it is known', () => ours(of), { every: 100 });
	assert.deepEqual([found.status, found.funds], ['warning_needs_response', 'untouched']);
	assert.deepEqual(await movements(of), []);
	await always();
});

test('a disputed payment cannot be refunded at Stripe, and nothing goes back here', async () => {
	const story = await Story.begin();
	const of = await story.place();
	await story.pay(of.id, 'pm_card_createDispute');
	await until('it is known', () => ours(of), { every: 100 });
	await boss.call('POST', '/api/payments/refund', { json: { orderId: of.id, amount: '1.00' } });
	await until('the refund has failed', async () => {
		const { refunds } = await story.buyer.get(`/api/payments/order/${of.id}`);
		return refunds.length === 1 && refunds[0].status === 'failed';
	}, { every: 100 });
	assert.deepEqual(await rows`SELECT kind FROM payments.ledger WHERE order_id = ${of.id} AND kind LIKE 'refund%'`, []);
	await always();
});
