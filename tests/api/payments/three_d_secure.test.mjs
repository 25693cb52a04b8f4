/*
 * A bank that asks the buyer first, and captures that Stripe settles later.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { cents, customer, lines, order, place, product, seller, untilOrder } from '../../lib/shop.mjs';
import { confirm, intent, stripe } from '../../lib/simulator.mjs';
import { rows, value } from '../../lib/sql.mjs';
import { until } from '../../lib/wait.mjs';
import { deliver, event } from '../../lib/webhook.mjs';

let buyer;
let lamp;
const fresh = () => place(buyer, lines([lamp.id, 1]));
const payment = (of) => buyer.get(`/api/payments/order/${of.id}`);
const answer = (of, outcome) => stripe('POST', `/simulator/authenticate/${of.payment.paymentIntentId}`, { outcome });

before(async () => {
	buyer = await customer();
	lamp = await product(await seller(), { stock_quantity: 1000 });
});

for (const card of ['pm_card_threeDSecure2Required', 'pm_card_authenticationRequired'])
	test(`${card}: unpaid until the buyer has answered the bank, then paid`, async () => {
		const of = await fresh();
		const asked = await confirm(of.payment.paymentIntentId, card);
		assert.equal(asked.status, 'requires_action');
		assert.notEqual(asked.next_action, null);
		/* Looked up at Stripe, it is still only on its way. */
		const waiting = await payment(of);
		assert.deepEqual([waiting.status, waiting.error_code], ['pending', null]);
		assert.equal((await order(buyer, of.id)).status, 'confirmed');
		const { json } = await buyer.call('POST', '/api/payments/create-intent', { json: { orderId: of.id }, expect: 200 });
		assert.equal(json.clientSecret, of.payment.clientSecret, 'the client goes on with the same intent');

		await answer(of, 'succeed');
		const paid = await untilOrder(buyer, of.id, 'paid');
		assert.equal(paid.payment_status, 'succeeded');
		assert.deepEqual(await rows`SELECT kind, amount FROM payments.ledger WHERE order_id = ${of.id}`,
		    [{ kind: 'capture', amount: cents(of.total_amount) }]);
	});

test('the buyer answers, and asks before any webhook has come: it is looked up', async () => {
	const of = await fresh();
	await confirm(of.payment.paymentIntentId, 'pm_card_threeDSecure2Required');
	await answer(of, 'succeed');
	assert.equal((await payment(of)).status, 'succeeded');
	assert.equal((await order(buyer, of.id)).status, 'paid');
});

test('the bank refuses: failed, and another card pays', async () => {
	const of = await fresh();
	await confirm(of.payment.paymentIntentId, 'pm_card_threeDSecure2Required');
	await answer(of, 'fail');
	const failed = await until('the refusal is known', async () => {
		const found = await payment(of);
		return found.status === 'failed' && found;
	}, { every: 100 });
	assert.equal(failed.error_code, 'payment_intent_authentication_failure');
	assert.equal((await order(buyer, of.id)).status, 'confirmed');
	await confirm(of.payment.paymentIntentId);
	await untilOrder(buyer, of.id, 'paid');
	assert.equal((await payment(of)).error_code, null);
});

test('a charge that is settled later changes nothing about the payment', async () => {
	const of = await fresh();
	assert.equal((await intent(of.payment.paymentIntentId)).capture_method, 'automatic_async');
	await confirm(of.payment.paymentIntentId);
	const paid = await untilOrder(buyer, of.id, 'paid');
	const before = await payment(of);
	const { latest_charge: charge } = (await stripe('GET', `/v1/payment_intents/${of.payment.paymentIntentId}?expand[]=latest_charge`)).json;
	const settled = event('charge.updated', { ...charge, balance_transaction: 'txn_1' });
	await Promise.all([settled, settled, { ...settled, id: `${settled.id}_2` }].map((what) => deliver(what, { expect: 200 })));
	assert.equal(await value`SELECT outcome FROM payments.webhook_event WHERE id = ${settled.id}`, 'stored');
	assert.deepEqual(await order(buyer, of.id), paid);
	assert.deepEqual(await payment(of), before);
	assert.equal(await value`SELECT count(*) FROM payments.ledger WHERE order_id = ${of.id}`, 1);
});

test('charge.updated may come before the payment itself is known', async () => {
	const of = await fresh();
	await deliver(event('charge.updated', { id: 'ch_early', object: 'charge', payment_intent: of.payment.paymentIntentId, paid: true,
	    captured: true, amount: cents(of.total_amount), currency: 'usd', metadata: {} }), { expect: 200 });
	assert.equal((await order(buyer, of.id)).status, 'confirmed', 'only the intent itself says that it is paid');
	await confirm(of.payment.paymentIntentId);
	await untilOrder(buyer, of.id, 'paid');
});
