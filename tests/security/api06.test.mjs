/*
 * Buying, as somebody would who does not mean to pay.
 */
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { ADDRESS, cents, customer, lines, newKey, order, place, product, seller, stockOf } from '../lib/shop.mjs';
import { always } from '../lib/invariants.mjs';
import { intent } from '../lib/simulator.mjs';
import { run } from '../lib/sql.mjs';
import { cron, Story } from '../lib/story.mjs';
import { risk } from './risk.mjs';

const case_ = risk(6);
let vendor;
let buyer;
let goods;

before(async () => {
	[vendor, buyer] = [await seller(), await customer()];
	goods = await product(vendor, { stock_quantity: 1000, price: '19.99' });
});

const ask = (body, options = {}) => buyer.call('POST', '/api/orders', { json: { ...ADDRESS, ...body }, ...options });
const untouched = async (work) => {
	const before_ = await stockOf(goods.id);
	await work();
	assert.deepEqual(await stockOf(goods.id), before_);
};

case_('no quantity makes an order cheaper than its goods', () => untouched(async () => {
	for (const quantity of ['-1', '0', '-0', '1.5', '0.1', '1e2', '1e-1', '10001', '2147483648', '9223372036854775807', '9223372036854775808', '18446744073709551615',
	    '"-1"', '"0"', '"1.5"', '"0x1"', '" 1"', '"1 "', '""', '"one"', 'null', 'true', '[]', '[1]', '{}', '"NaN"', '"Infinity"', '-9223372036854775808']) {
		const body = `{"shippingAddress":"x","items":[{"productId":${goods.id},"quantity":${quantity}}]}`;
		await buyer.call('POST', '/api/orders', { body, expect: 400 });
	}
	/* Two wrongs that add up to a right are two wrongs. */
	await ask({ items: lines([goods.id, 5], [goods.id, -4]) }, { expect: 400 });
}));

case_('the price is the shop\'s', () => untouched(async () => {
	const item = { productId: goods.id, quantity: 1 };
	for (const more of [{ price: '0.01' }, { unit_price: 1 }, { total_price: '0.01' }, { currency: 'JPY' }, { discount: '100%' }])
		assert.equal((await ask({ items: [{ ...item, ...more }] })).status, 400, JSON.stringify(more));
	for (const more of [{ total_amount: '0.01' }, { discount_amount: '999.00' }, { subtotal: 0 }, { tax_amount: '-5.00' }, { shipping_cost: '0.00' }, { currency: 'JPY' }, { coupon: 'FREE' }, { status: 'paid' }, { payment_status: 'succeeded' }])
		assert.equal((await ask({ items: [item], ...more })).status, 400, JSON.stringify(more));
}));

case_('what is asked of Stripe is what the order costs', async () => {
	const placed = await place(buyer, lines([goods.id, 3]));
	const asked = await intent(placed.payment.paymentIntentId);
	assert.equal(asked.amount, cents(placed.total_amount));
	assert.equal(cents(placed.subtotal), 3 * 1999);
	assert.equal(asked.currency, 'usd');
});

case_('a total beyond all bounds does not wrap around', async () => {
	const dear = await product(vendor, { price: '99999999999.99', stock_quantity: 1000000 });
	const stock = await stockOf(dear.id);
	for (const items of [lines([dear.id, 10000]), Array(100).fill(lines([dear.id, 10000])[0]), lines([dear.id, 1])]) {
		const answer = await ask({ items });
		assert.ok([400, 409].includes(answer.status), answer.text);
	}
	assert.deepEqual(await stockOf(dear.id), stock);
});

case_('the last one is sold once', async () => {
	const last = await product(vendor, { stock_quantity: 1 });
	const rivals = await Promise.all(Array.from({ length: 20 }, () => customer()));
	const answers = await Promise.all(rivals.map((rival) => rival.call('POST', '/api/orders', { json: { items: lines([last.id, 1]), ...ADDRESS } })));

	assert.equal(answers.filter(({ status }) => status === 201).length, 1);
	assert.equal(answers.filter(({ status }) => status === 409).length, 19);
	const { received, available, reserved, sold } = await stockOf(last.id);
	assert.deepEqual({ received, available, reserved, sold }, { received: 1, available: 0, reserved: 1, sold: 0 });
});

case_('an impatient finger orders once', async () => {
	const key = newKey();
	const body = { items: lines([goods.id, 1]), ...ADDRESS };
	const answers = await Promise.all(Array.from({ length: 30 }, () => buyer.call('POST', '/api/orders', { json: body, key })));
	const ids = new Set(answers.filter(({ status }) => status === 201).map(({ json }) => json.id));

	assert.equal(ids.size, 1);
	for (const { status, text } of answers)
		assert.ok([201, 409].includes(status), text);
});

case_('stock held by orders that nobody pays comes back', async () => {
	const story = await Story.begin({ stock: 5 });
	const held = await story.place({ quantity: 5 });

	assert.equal((await story.stock()).available, 0);
	assert.equal((await story.ask()).status, 409);
	await story.expire();
	await cron('reservations-expire');
	await story.until(held.id, 'cancelled');
	assert.deepEqual(await story.stock(), { received: 5, available: 5, reserved: 0, sold: 0 });
	/* Its intent can no longer be paid. */
	assert.equal((await intent(held.payment.paymentIntentId)).status, 'canceled');
	assert.equal((await story.ask()).status, 201);
});

case_('what is not on sale is not sold', () => untouched(async () => {
	const hidden = await product(vendor);
	await run`UPDATE catalog.product SET is_active = false WHERE id = ${hidden.id}`;
	for (const id of [hidden.id, 987654321987, 1e15]) {
		const answer = await ask({ items: lines([goods.id, 1], [id, 1]) });
		assert.equal(answer.status, 404, answer.text);
	}
}));

case_('an order is paid by paying it, not by saying so', async () => {
	const placed = await place(buyer, lines([goods.id, 1]));
	for (const [method, path] of [['PUT', `/api/orders/${placed.id}`], ['PATCH', `/api/orders/${placed.id}`], ['POST', `/api/orders/${placed.id}/pay`],
	    ['POST', `/api/payments/confirm`], ['PUT', `/api/payments/order/${placed.id}`], ['PUT', `/api/orders/${placed.id}/status`]]) {
		const answer = await buyer.call(method, path, { json: { status: 'paid', payment_status: 'succeeded' } });
		assert.ok([403, 404, 405].includes(answer.status), `${method} ${path}: ${answer.status}`);
	}
	const found = await order(buyer, placed.id);
	assert.equal(found.status, 'confirmed');
	assert.equal(found.payment_status, 'pending');
});

case_('whatever was tried, the books are right', always);
