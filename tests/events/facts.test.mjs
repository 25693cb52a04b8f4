/*
 * Every fact of the vocabulary is told once, by whatever path it comes about,
 * and says nothing that is nobody's business.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admin, category, customer, lines, move, newAdmin, pay, PASSWORD, place, product, refund, review, seller, track, untilOrder } from '../lib/shop.mjs';
import { confirm } from '../lib/simulator.mjs';
import { one, rows, run } from '../lib/sql.mjs';
import { until } from '../lib/wait.mjs';

const events = (subject) => rows`SELECT type, data, at FROM ops.event WHERE subject = ${subject} ORDER BY id`;
const types = async (subject) => (await events(subject)).map(({ type }) => type);
const paymentOf = async (placed) => `payments/${(await one`SELECT id FROM payments.payment WHERE order_id = ${placed.id}`).id}`;

async function order(quantity = 2) {
	const [buyer, owner] = [await customer(), await seller()];
	const goods = await product(owner, { stock_quantity: 10, low_stock_threshold: 3 });
	return { buyer, owner, goods, placed: await place(buyer, lines([goods.id, quantity])) };
}

test('an order, from its placing to its door', async () => {
	const { buyer, owner, goods, placed } = await order();
	const subject = `orders/${placed.id}`;
	assert.deepEqual(await types(subject), ['order.placed']);
	await pay(buyer, placed);
	await move(owner, placed, 'processing');
	await track(owner, placed, 'JD0146', 'DHL');
	await move(owner, placed, 'shipped');
	await move(owner, placed, 'delivered');
	const told = await events(subject);
	assert.deepEqual(told.map(({ type }) => type),
	    ['order.placed', 'order.paid', 'order.processing', 'order.shipped', 'order.delivered']);
	assert.deepEqual(told.map(({ data }) => [data.previous_status, data.status]), [[null, 'confirmed'], ['confirmed', 'paid'],
	    ['paid', 'processing'], ['processing', 'shipped'], ['shipped', 'delivered']]);
	assert.deepEqual(told[0].data, {
		id: placed.id, user_id: buyer.id, status: 'confirmed', previous_status: null, currency: 'USD',
		total_amount: placed.total_amount, carrier: null, tracking_number: null,
		items: [{ product_id: goods.id, seller_id: owner.id, quantity: 2, unit_price: '19.99' }],
	});
	assert.deepEqual([told[3].data.carrier, told[3].data.tracking_number], ['DHL', 'JD0146']);
});

test('an order that is not paid, and one whose money goes back', async () => {
	const boss = await newAdmin();
	const { buyer, placed } = await order();
	await run`UPDATE orders.saga SET deadline = now(), wake_at = now() WHERE order_id = ${placed.id}`;
	await untilOrder(buyer, placed.id, 'cancelled');
	assert.deepEqual(await types(`orders/${placed.id}`), ['order.placed', 'order.cancelled']);

	const other = await order();
	await pay(other.buyer, other.placed);
	const made = await refund(boss, other.placed, '10.50');
	await refund(boss, other.placed);
	assert.deepEqual(await types(`orders/${other.placed.id}`), ['order.placed', 'order.paid', 'order.refunded']);
	const told = await events(await paymentOf(other.placed));
	assert.deepEqual(told.map(({ type }) => type), ['payment.succeeded', 'payment.refunded', 'payment.refunded']);
	assert.deepEqual([told[0].data.amount, told[1].data.amount, told[1].data.stripe_id, told[2].data.refund_amount],
	    [other.placed.total_amount, '10.50', made.stripe_refund_id, other.placed.total_amount]);
	assert.deepEqual(Object.keys(told[0].data), ['id', 'order_id', 'user_id', 'status', 'currency', 'amount',
	    'refund_amount', 'stripe_id', 'error_code']);
});

test('every movement of the ledger has its event', async () => {
	const { buyer, placed } = await order();
	await pay(buyer, placed);
	const kinds = [['refund', 'refunded'], ['refund_reversal', 'refund_failed'], ['dispute', 'disputed'], ['dispute_reversal', 'dispute_won']];
	/* None of it stays. */
	await run`BEGIN; SET CONSTRAINTS ALL IMMEDIATE`;
	for (const [kind] of kinds)
		await run`SELECT payments.ledger_post(${placed.id}, ${kind}, 're_never', 100, 'USD')`;
	const found = await types(await paymentOf(placed));
	await run`ROLLBACK`;
	assert.deepEqual(found, ['payment.succeeded', ...kinds.map(([, told]) => `payment.${told}`)]);
	const allowed = await one`SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname = 'ledger_kind_check'`;
	assert.deepEqual([...allowed.text.matchAll(/'(\w+)'/g)].map(([, kind]) => kind).sort(), ['capture', ...kinds.map(([kind]) => kind)].sort());
});

test('a card that is declined, told of twice, is one failure', async () => {
	const { placed } = await order();
	const subject = await paymentOf(placed);
	await confirm(placed.payment.paymentIntentId, 'pm_card_chargeDeclined', 402);
	const [told] = await until('the failure is told', async () => (await events(subject)).length === 1 && events(subject));
	assert.equal(told.type, 'payment.failed');
	assert.ok(told.data.error_code);
	const { error_code: code, error_message: message, intent } = await one`SELECT error_code, error_message,
	    stripe_payment_intent_id AS intent FROM payments.payment WHERE order_id = ${placed.id}`;
	await run`SELECT orders.payment_failed_v1(${placed.id}, ${intent}, ${code}, ${message})`;
	assert.deepEqual(await types(subject), ['payment.failed']);
	await run`SELECT orders.payment_failed_v1(${placed.id}, ${intent}, 'expired_card', 'Another card')`;
	assert.deepEqual(await types(subject), ['payment.failed', 'payment.failed']);
});

test('a product, whoever changes it', async () => {
	const [owner, boss] = [await seller(), await admin()];
	const goods = await product(owner, { price: '5.00', tags: ['brass'] });
	const subject = `products/${goods.id}`;
	assert.deepEqual(await types(subject), ['product.created']);
	await owner.call('PUT', `/api/products/${goods.id}`, { json: { price: '6.00' }, expect: 200 });
	await owner.call('PUT', `/api/products/${goods.id}`, { json: { price: '6.00' }, expect: 200 });
	await run`UPDATE catalog.product SET category_id = ${(await category(boss)).id} WHERE id = ${goods.id}`;
	/* Neither its stock nor its rating is news of it. */
	await owner.call('POST', `/api/products/${goods.id}/stock`, { json: { change: -100, reason: 'broken' }, expect: 200 });
	await review(await customer(), goods.id);
	await owner.call('DELETE', `/api/products/${goods.id}`, { expect: 200 });
	const told = await events(subject);
	assert.deepEqual(told.map(({ type }) => type), ['product.created', 'product.updated', 'product.updated', 'product.deleted']);
	assert.deepEqual(told.map(({ data }) => data.price), ['5.00', '6.00', '6.00', '6.00']);
	assert.deepEqual(Object.keys(told[0].data).sort(), ['category_id', 'currency', 'id', 'image_url', 'is_active',
	    'is_featured', 'name', 'price', 'seller_id', 'sku', 'slug', 'tags']);
	assert.equal(told.at(-1).data.is_active, false);
});

test('stock that runs low, each time it does', async () => {
	const { owner, goods } = await order(6);		/* leaves 4; told at 3 */
	const subject = `stock/${goods.id}`;
	assert.deepEqual(await types(subject), []);
	await place(await customer(), lines([goods.id, 2]));
	await place(await customer(), lines([goods.id, 1]));
	assert.deepEqual((await events(subject)).map(({ type, data }) => [type, data]), [['stock.low',
	    { product_id: goods.id, seller_id: owner.id, available: 2, threshold: 3 }]]);
	await owner.call('POST', `/api/products/${goods.id}/stock`, { json: { change: 10, reason: 'received' }, expect: 200 });
	await place(await customer(), lines([goods.id, 9]));
	assert.deepEqual(await types(subject), ['stock.low', 'stock.low']);
});

test('a review, until it goes with its author', async () => {
	const [author, boss] = [await customer(), await admin()];
	const goods = await product(await seller());
	const made = await review(author, goods.id, { rating: 2, comment: 'Private words' });
	await author.call('PUT', `/api/products/${goods.id}/reviews/${made.id}`, { json: { rating: 5 }, expect: 200 });
	await boss.call('PUT', `/api/products/${goods.id}/reviews/${made.id}/moderation`, { json: { is_hidden: true, reason: 'rude' }, expect: 200 });
	await author.call('DELETE', '/api/users/profile', { json: { password: PASSWORD }, expect: 200 });
	const told = await events(`reviews/${made.id}`);
	assert.deepEqual(told.map(({ type, data }) => [type, data.rating, data.is_hidden]), [['review.created', 2, false],
	    ['review.updated', 5, false], ['review.updated', 5, true], ['review.deleted', 5, true]]);
	assert.deepEqual(await types(`users/${author.id}`), ['user.registered', 'user.erased']);
});

test('what is told names nobody and opens nothing', async () => {
	const { buyer, placed } = await order();
	await pay(buyer, placed);
	const secrets = await one`SELECT a.email, a.password_hash, p.client_secret, p.nonce, o.shipping_address
	                            FROM orders.orders o JOIN payments.payment p ON p.order_id = o.id
	                            JOIN users.account a ON a.id = o.user_id WHERE o.id = ${placed.id}`;
	const all = JSON.stringify(await rows`SELECT type, subject, data FROM ops.event`);
	for (const [name, text] of Object.entries({ ...secrets, first: 'Byron', city: 'Riga', notes: 'Ring twice', comment: 'Private words' })) {
		assert.ok(text?.length > 3, name);
		assert.ok(!all.includes(text), name);
	}
});

test('what did not happen is not told', async () => {
	const { buyer, goods } = await order();
	const before = await one`SELECT count(*) AS n FROM ops.event WHERE type LIKE 'order.%'`;
	await buyer.refuse(409, 'insufficient_stock', 'POST', '/api/orders', { json: {
		items: lines([goods.id, 1000]), shippingAddress: 'x 1' } });
	assert.deepEqual(await one`SELECT count(*) AS n FROM ops.event WHERE type LIKE 'order.%'`, before);
});
