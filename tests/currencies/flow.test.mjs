/*
 * A shop that sells in SHOP_CURRENCY, from the product to the last refund:
 * exact on the wire, at Stripe and in the ledger, whatever digits it has.
 *
 * Run beside stacks of several: tests/all does.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { execute } from '../lib/execute.mjs';
import { ADDRESS, customer, lines, newAdmin, newKey, order, place, product, seller, stockOf, untilOrder } from '../lib/shop.mjs';
import { confirm, intent, stripe } from '../lib/simulator.mjs';
import { rows, value } from '../lib/sql.mjs';
import { until } from '../lib/wait.mjs';
import { event, deliver } from '../lib/webhook.mjs';

const CURRENCY = process.env.SHOP_CURRENCY ?? 'USD';
const SHIPPING = process.env.SHIPPING_FLAT ?? '10.00';
const DIGITS = { JPY: 0, KRW: 0, KWD: 3, BHD: 3 }[CURRENCY] ?? 2;
/* Stripe's: the last of three digits is 0. */
const STEP = DIGITS === 3 ? 10n : 1n;
const LEAST = { JPY: 50n, GBP: 30n }[CURRENCY] ?? 50n;

let buyer;
let owner;
let boss;

before(async () => {
	owner = await seller();
	buyer = await customer();
	boss = await newAdmin();
});

/* An oracle in whole minor units. */
const minor = (text) => {
	assert.match(text, DIGITS === 0 ? /^\d+$/ : new RegExp(`^\\d+\\.\\d{${DIGITS}}$`), 'as many digits as the currency has');
	return BigInt(text.replace('.', ''));
};
const wire = (n) => {
	const text = String(n).padStart(DIGITS + 1, '0');
	return DIGITS === 0 ? text : `${text.slice(0, -DIGITS)}.${text.slice(-DIGITS)}`;
};
const shipping = () => {
	const [whole, fraction = ''] = SHIPPING.split('.');
	return BigInt(whole + fraction.slice(0, DIGITS).padEnd(DIGITS, '0'));
};

function totalOf(sold) {
	const subtotal = sold.reduce((sum, [price, quantity]) => sum + price * BigInt(quantity), 0n);
	const tax = (subtotal * 1000n + 5000n) / 10000n;
	const all = subtotal + tax + shipping();
	const discount = all % STEP;
	return { subtotal, tax_amount: tax, shipping_cost: shipping(), discount_amount: discount, total_amount: all - discount };
}

const told = (found) => Object.fromEntries(['subtotal', 'tax_amount', 'shipping_cost', 'discount_amount', 'total_amount']
    .map((name) => [name, minor(found[name])]));
const payment = (of) => buyer.get(`/api/payments/order/${of.id}`);
const reconcile = () => until('Stripe\'s books and ours have been compared', async () => {
	const { json } = await call('POST', '/internal/cron/payments-reconcile', { token: need('SERVICE_TOKEN'), expect: 200 });
	return json.complete;
});

for (const [price, quantity] of [[1980n, 1], [1255n, 3], [333n, 7], [99989n, 2], [1n, 1999]])
	test(`${quantity} of ${wire(price)} ${CURRENCY}: ordered, paid, refunded in parts, to the last digit`, async () => {
		const lamp = await product(owner, { price: wire(price), stock_quantity: 10000 });
		assert.equal(lamp.currency, CURRENCY);
		assert.equal(lamp.price, wire(price));
		const due = totalOf([[price, quantity]]);
		const placed = await place(buyer, lines([lamp.id, quantity]));
		assert.deepEqual(told(placed), due);
		assert.equal(placed.currency, CURRENCY);
		assert.deepEqual([placed.payment.amount, placed.payment.currency], [wire(due.total_amount), CURRENCY]);
		assert.equal(due.total_amount % STEP, 0n);

		const asked = await intent(placed.payment.paymentIntentId);
		assert.deepEqual([BigInt(asked.amount), asked.currency], [due.total_amount, CURRENCY.toLowerCase()]);
		await confirm(asked.id);
		await untilOrder(buyer, placed.id, 'paid');
		assert.equal((await payment(placed)).amount, wire(due.total_amount));

		const part = due.total_amount / 3n / STEP * STEP;
		const { json: refund } = await boss.call('POST', '/api/payments/refund',
		    { json: { orderId: placed.id, amount: wire(part) }, expect: 200, key: newKey() });
		assert.equal(refund.amount, wire(part));
		assert.equal((await payment(placed)).refund_amount, wire(part));
		await boss.call('POST', '/api/payments/refund', { json: { orderId: placed.id }, expect: 200, key: newKey() });
		await until('all of it is back', async () => (await payment(placed)).refund_amount === wire(due.total_amount));
		const back = (await stripe('GET', `/v1/refunds?payment_intent=${asked.id}`)).json.data.map(({ amount }) => BigInt(amount));
		assert.deepEqual(back, [due.total_amount - part, part]);
		assert.deepEqual(await rows`SELECT account, sum(amount)::bigint AS left FROM payments.posting WHERE order_id = ${placed.id}
		                             AND currency = ${CURRENCY} GROUP BY account ORDER BY account`,
		    [{ account: 'customer', left: 0 }, { account: 'stripe', left: 0 }]);
		await reconcile();
		assert.deepEqual((await boss.get(`/api/admin/payments/drift?order=${placed.id}`)).drift, []);
	});

test('more digits than the currency has are refused, by name', async () => {
	const long = `1.${'0'.repeat(DIGITS)}1`;
	await owner.refuseFields(['price'], 'POST', '/api/products', { json: { name: 'Lamp', price: long } });
	const lamp = await product(owner, { price: wire(5000n) });
	const placed = await place(buyer, lines([lamp.id, 1]));
	await confirm(placed.payment.paymentIntentId);
	await untilOrder(buyer, placed.id, 'paid');
	await boss.refuseFields(['amount'], 'POST', '/api/payments/refund', { json: { orderId: placed.id, amount: long } });
	if (STEP > 1n)
		await boss.refuseFields(['amount'], 'POST', '/api/payments/refund', { json: { orderId: placed.id, amount: wire(11n) } });
	assert.equal((await payment(placed)).refund_amount, wire(0n));
});

/* Where shipping costs that much, nothing less can be ordered. */
const tooLittle = async () => {
	const price = (LEAST - 1n) * 10n / 11n;
	const lamp = await product(owner, { price: wire(price), stock_quantity: 5 });
	const key = newKey();
	const answer = await buyer.call('POST', '/api/orders', { json: { items: lines([lamp.id, 1]), ...ADDRESS }, key, expect: 400 });
	assert.equal(answer.json.code, 'order_total_out_of_range');
	assert.match(answer.json.detail, new RegExp(`at least ${wire(LEAST).replace('.', '\\.')} and at most .* ${CURRENCY}$`));
	assert.deepEqual(await stockOf(lamp.id), { received: 5, available: 5, reserved: 0, sold: 0 });
	assert.equal(await value`SELECT count(*) FROM orders.item WHERE product_id = ${lamp.id}`, 0);
	const placed = await place(buyer, lines([lamp.id, 2]));
	assert.ok(minor(placed.total_amount) >= LEAST, 'two of it can be paid');
};
if (shipping() < LEAST)
	test('what is less than Stripe takes is refused before anything is kept', tooLittle);

test('another currency at Stripe than the shop\'s pays nothing', async () => {
	const lamp = await product(owner, { price: wire(5000n) });
	const placed = await place(buyer, lines([lamp.id, 1]));
	const asked = await intent(placed.payment.paymentIntentId);
	await deliver(event('payment_intent.succeeded', { ...asked, status: 'succeeded', amount_received: asked.amount,
		currency: CURRENCY === 'USD' ? 'eur' : 'usd' }), { expect: 200 });
	assert.equal((await order(buyer, placed.id)).status, 'confirmed');
});

test('a shop cannot be opened in a currency Stripe has rules of its own for', async () => {
	for (const refused of ['ISK', 'HUF', 'TWD', 'UGX', 'usd', 'EURO']) {
		const { code, log } = await execute('orders-place', ['--once', 'GET', '/health'], { env: { SHOP_CURRENCY: refused } });
		assert.notEqual(code, 0, refused);
		assert.match(log, /SHOP_CURRENCY must be .* ISK, HUF, TWD and UGX/, refused);
	}
});
