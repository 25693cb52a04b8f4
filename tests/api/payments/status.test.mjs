import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { admin, assertTimes, customer, lines, order, pay, place, product, seller } from '../../lib/shop.mjs';
import { confirm } from '../../lib/simulator.mjs';
import { until } from '../../lib/wait.mjs';

let owner;
let buyer;
let lamp;
const path = (id) => `/api/payments/order/${id}`;
const fresh = () => place(buyer, lines([lamp.id, 1]));

before(async () => {
	owner = await seller();
	buyer = await customer();
	lamp = await product(owner, { stock_quantity: 1000 });
});

function assertPayment(found, placed) {
	for (const name of ['id', 'order_id', 'stripe_payment_intent_id', 'amount', 'currency', 'status', 'payment_method',
	    'refund_amount', 'error_code', 'error_message', 'created_at', 'updated_at'])
		assert.ok(found[name] !== undefined, name);
	assert.equal(found.order_id, placed.id);
	assert.equal(found.stripe_payment_intent_id, placed.payment.paymentIntentId);
	assert.equal(found.amount, placed.total_amount);
	assert.equal(found.currency, 'USD');
	assert.equal(found.refund_amount, '0.00');
	assert.equal(found.client_secret, undefined);
	assert.equal(found.nonce, undefined);
	assertTimes(found, ['created_at', 'updated_at']);
}

test('its owner and an admin see a payment', async () => {
	const placed = await fresh();
	for (const who of [buyer, await admin()]) {
		const found = await who.get(path(placed.id));
		assertPayment(found, placed);
		assert.equal(found.status, 'pending');
		assert.equal(found.payment_method, null);
		assert.equal(found.error_code, null);
	}
});

test('a paid one says with what', async () => {
	const placed = await fresh();
	await pay(buyer, placed);
	const found = await buyer.get(path(placed.id));
	assertPayment(found, placed);
	assert.equal(found.status, 'succeeded');
	assert.ok(found.payment_method);
});

test('a pending one is asked for at Stripe first', async () => {
	const placed = await fresh();
	await confirm(placed.payment.paymentIntentId);
	assert.equal((await buyer.get(path(placed.id))).status, 'succeeded');
	assert.equal((await order(buyer, placed.id)).status, 'paid');
});

test('a declined one says why, and may be tried again', async () => {
	const placed = await fresh();
	await confirm(placed.payment.paymentIntentId, 'pm_card_visa_chargeDeclinedInsufficientFunds', 402);
	const found = await until('the decline is known', async () => {
		const payment = await buyer.get(path(placed.id));
		return payment.status === 'failed' && payment;
	}, { every: 250 });
	assertPayment(found, placed);
	assert.equal(found.error_code, 'insufficient_funds');
	assert.equal(typeof found.error_message, 'string');
	const declined = await order(buyer, placed.id);
	assert.equal(declined.status, 'confirmed');
	assert.equal(declined.payment_status, 'failed');

	await pay(buyer, placed);
	const paid = await buyer.get(path(placed.id));
	assert.equal(paid.status, 'succeeded');
	assert.equal(paid.error_code, null);
});

test('to anyone else it does not exist', async () => {
	const placed = await fresh();
	for (const who of [await customer(), await seller(), owner])
		await who.refuse(404, 'not_found', 'GET', path(placed.id));
});

test('an id that is none is 404', async () => {
	for (const id of ['abc', '0', '-1', '999999999999', '9223372036854775808', '1.0'])
		await buyer.refuse(404, 'not_found', 'GET', path(id));
});

let somebody;
refusesBadTokens('GET', '/api/payments/order/1', async () => somebody ??= await customer());
