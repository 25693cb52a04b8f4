import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { ADDRESS, admin, assertOrder, cents, customer, lines, newKey, order, place, product, seller, stockOf, unanswered, unique } from '../../lib/shop.mjs';
import { intent } from '../../lib/simulator.mjs';
import { one, run, value } from '../../lib/sql.mjs';

const PATH = '/api/orders';
let owner;
let buyer;
let lamp;
const body = (items, more) => ({ items, ...ADDRESS, ...more });
const refuseFields = (fields, json) => buyer.refuseFields(fields, 'POST', PATH, { json });
const orders = (id = buyer.id) => value`SELECT count(*) FROM orders.orders WHERE user_id = ${id}`;

before(async () => {
	owner = await seller();
	buyer = await customer();
	lamp = await product(owner, { price: '19.99', stock_quantity: 1000, sku: `LAMP-${unique()}` });
});

test('an order is placed: stock reserved, payment asked', async () => {
	const stock = await stockOf(lamp.id);
	const placed = await place(buyer, lines([lamp.id, 3]));

	assertOrder(placed);
	assert.equal(placed.user_id, buyer.id);
	assert.equal(placed.status, 'confirmed');
	assert.equal(placed.payment_status, 'pending');
	assert.equal(placed.currency, 'USD');
	assert.equal(placed.subtotal, '59.97');
	assert.equal(placed.tax_amount, '6.00', '10 % of 59.97, half up');
	assert.equal(placed.shipping_cost, '10.00');
	assert.equal(placed.discount_amount, '0.00');
	assert.equal(placed.total_amount, '75.97');
	assert.deepEqual([placed.shipping_address, placed.shipping_city, placed.shipping_state, placed.shipping_zip,
	    placed.shipping_country, placed.customer_notes],
	    ['1 Market Street', 'Riga', null, 'LV-1010', 'LV', 'Ring twice']);
	assert.equal(placed.items.length, 1);
	assert.equal(placed.items[0].product_id, lamp.id);
	assert.equal(placed.items[0].product_name, lamp.name);
	assert.equal(placed.items[0].product_sku, lamp.sku);
	assert.equal(placed.items[0].quantity, 3);
	assert.equal(placed.items[0].unit_price, '19.99');
	for (const name of ['tracking_number', 'carrier', 'paid_at', 'shipped_at', 'delivered_at', 'cancelled_at'])
		assert.equal(placed[name], null, name);
	assert.notEqual(placed.confirmed_at, null);
	assert.deepEqual(await stockOf(lamp.id),
	    { ...stock, available: stock.available - 3, reserved: stock.reserved + 3 });

	assert.match(placed.payment.clientSecret, new RegExp(`^${placed.payment.paymentIntentId}_secret_`));
	assert.equal(placed.payment.status, 'pending');
	const asked = await intent(placed.payment.paymentIntentId);
	assert.equal(asked.amount, 7597);
	assert.equal(asked.currency, 'usd');
	assert.equal(asked.status, 'requires_payment_method');
	assert.equal(asked.metadata.order_id, String(placed.id));
	assert.deepEqual(await order(buyer, placed.id), placed);
});

test('an address is all the shipping that is needed', async () => {
	const { json } = await buyer.call('POST', PATH,
	    { json: { items: lines([lamp.id, 1]), shippingAddress: 'Here' }, expect: 201 });
	assertOrder(json);
	for (const name of ['shipping_city', 'shipping_state', 'shipping_zip', 'shipping_country', 'customer_notes'])
		assert.equal(json[name], null, name);
});

test('sellers and admins buy too', async () => {
	for (const who of [await seller(), await admin()])
		assertOrder(await place(who, lines([lamp.id, 1])));
});

test('tax is rounded half up on the subtotal, once', async () => {
	for (const [price, quantity, tax] of [['0.05', 1, '0.01'], ['0.04', 1, '0.00'], ['0.45', 1, '0.05'], ['0.05', 3, '0.02'],
	    ['333.33', 3, '100.00'], ['0.01', 10, '0.01']]) {
		const cheap = await product(owner, { price });
		const placed = await place(buyer, lines([cheap.id, quantity]));
		assert.equal(placed.tax_amount, tax, `${quantity} at ${price}`);
		assert.equal(await value`SELECT totals_rule FROM orders.orders WHERE id = ${placed.id}`,
		    'tax_on_subtotal_half_up', 'by which rule is kept');
	}
});

test('the same product twice is one line', async () => {
	const other = await product(owner);
	const placed = await place(buyer, lines([lamp.id, 2], [other.id, 1], [lamp.id, 3]));
	assertOrder(placed);
	assert.deepEqual(placed.items.map((line) => [line.product_id, line.quantity]), [[lamp.id, 5], [other.id, 1]]);
});

test('merged lines are checked against the stock as one', async () => {
	const scarce = await product(owner, { stock_quantity: 5 });
	const answer = await buyer.refuse(409, 'insufficient_stock', 'POST', PATH, { json: body(lines([scarce.id, 3], [scarce.id, 3])) });
	assert.equal(answer.json.products[0].requested, 6);
	assert.equal(answer.json.products[0].available, 5);
});

test('100 lines are an order, 101 are not', async () => {
	const cheap = await product(owner, { price: '0.10', stock_quantity: 1000 });
	const placed = await place(buyer, lines(...Array.from({ length: 100 }, () => [cheap.id, 1])));
	assert.equal(placed.items[0].quantity, 100);
	await refuseFields(['items'], body(lines(...Array.from({ length: 101 }, () => [cheap.id, 1]))));
});

test('out of stock: 409 naming every such product, and nothing is kept', async () => {
	const [scarce, gone, plenty] = [await product(owner, { stock_quantity: 2 }),
	    await product(owner, { stock_quantity: 0 }), await product(owner, { stock_quantity: 50 })];
	const count = await orders();
	const answer = await buyer.refuse(409, 'insufficient_stock', 'POST', PATH,
	    { json: body(lines([plenty.id, 5], [gone.id, 1], [scarce.id, 3])) });

	assert.deepEqual(answer.json.products, [
		{ product_id: scarce.id, name: scarce.name, requested: 3, available: 2 },
		{ product_id: gone.id, name: gone.name, requested: 1, available: 0 },
	]);
	assert.equal(await orders(), count);
	for (const [made, available] of [[scarce, 2], [gone, 0], [plenty, 50]])
		assert.deepEqual(await stockOf(made.id), { received: available, available, reserved: 0, sold: 0 });
	assert.equal(await value`SELECT count(*) FROM orders.item WHERE product_id = ${plenty.id}`, 0);
});

test('a failed order does not use up its Idempotency-Key\'s effect', async () => {
	const key = newKey();
	const scarce = await product(owner, { stock_quantity: 0 });
	const json = body(lines([scarce.id, 1]));
	await buyer.refuse(409, 'insufficient_stock', 'POST', PATH, { key, json });
	const count = await orders();
	await owner.call('PUT', `/api/products/${scarce.id}`, { json: { stock_quantity: 1 }, expect: 200 });
	const answer = await buyer.call('POST', PATH, { key, json });
	/* Either the refusal is remembered or the request is made anew. */
	assert.equal(await orders(), count + (answer.status === 201 ? 1 : 0));
	assert.ok([201, 409].includes(answer.status));
});

test('products that do not exist or are not for sale are 404 and named', async () => {
	const hidden = await product(owner);
	await run`UPDATE catalog.product SET is_active = false WHERE id = ${hidden.id}`;
	const count = await orders();
	const answer = await buyer.refuse(404, 'product_not_found', 'POST', PATH,
	    { json: body(lines([lamp.id, 1], [999999999999, 1], [hidden.id, 1])) });
	assert.deepEqual(answer.json.errors.map((entry) => entry.field), ['items[1].productId', 'items[2].productId']);
	assert.equal(await orders(), count);
});

test('a total Stripe cannot take is 400', async () => {
	const dear = await product(owner, { price: '99999999999.99', stock_quantity: 100000 });
	const million = await product(owner, { price: '1000000.00' });
	for (const items of [lines([dear.id, 1]), lines([dear.id, 10000]), lines([million.id, 1])]) {
		const count = await orders();
		await buyer.refuse(400, 'order_total_out_of_range', 'POST', PATH, { json: body(items) });
		assert.equal(await orders(), count);
	}
	assert.equal((await stockOf(dear.id)).reserved, 0);
});

test('prices come from the shop, never from the body', async () => {
	const tampered = [{ productId: lamp.id, quantity: 1, price: '0.01' }, { productId: lamp.id, quantity: 1, unit_price: 0.01 }];
	await refuseFields(['items[0].price'], body([tampered[0]]));
	await refuseFields(['items[0].price', 'items[1].unit_price'], body(tampered));
	await refuseFields(['total_amount', 'discount_amount', 'status', 'payment_status', 'user_id', 'currency', 'tax_amount'],
	    body(lines([lamp.id, 1]), { total_amount: '0.01', discount_amount: '5.00', status: 'paid',
	    payment_status: 'succeeded', user_id: 1, currency: 'JPY', tax_amount: '0.00' }));
	assert.equal((await place(buyer, lines([lamp.id, 1]))).items[0].unit_price, '19.99');
});

test('a later price does not change an order', async () => {
	const moving = await product(owner, { price: '10.00' });
	const placed = await place(buyer, lines([moving.id, 1]));
	await run`UPDATE catalog.product SET price = 99900, name = 'Renamed' WHERE id = ${moving.id}`;
	const read = await order(buyer, placed.id);
	assert.equal(read.items[0].unit_price, '10.00');
	assert.equal(read.items[0].product_name, moving.name);
});

test('quantities are whole, 1 to 10,000', async () => {
	for (const quantity of [0, -1, 1.5, 10001, 2147483648, '9223372036854775808', '1e3', 'two', '', null, true, [], {}])
		await refuseFields(['items[0].quantity'], body([{ productId: lamp.id, quantity }]));
	for (const quantity of ['1e2', '1.0000001', '9223372036854775808', '1e400', '-0.5', '18446744073709551617']) {
		const answer = await buyer.call('POST', PATH,
		    { body: `{"items":[{"productId":${lamp.id},"quantity":${quantity}}],"shippingAddress":"x"}` });
		assert.equal(`${quantity} ${answer.status}`, `${quantity} 400`);
	}
});

test('product ids are positive whole numbers', async () => {
	for (const productId of [0, -1, 1.5, 'abc', '', null, true, {}, [1]])
		await refuseFields(['items[0].productId'], body([{ productId, quantity: 1 }]));
	for (const productId of ['9223372036854775808', '1e3', '99999999999999999999999']) {
		const answer = await buyer.call('POST', PATH,
		    { body: `{"items":[{"productId":${productId},"quantity":1}],"shippingAddress":"x"}` });
		assert.equal(`${productId} ${answer.status}`, `${productId} 400`);
	}
	/* No digit of a 64-bit id is lost on the way. */
	await buyer.refuse(404, 'product_not_found', 'POST', PATH,
	    { body: '{"items":[{"productId":9223372036854775807,"quantity":1}],"shippingAddress":"x"}' });
});

test('every bad field is named at once', async () => {
	await refuseFields(['items[0].productId', 'items[0].quantity', 'items[1].quantity', 'items[2].productId',
	    'items[2].extra', 'shippingAddress', 'shippingCity', 'customerNotes', 'nonsense'], {
		items: [{ productId: 'a', quantity: 0 }, { productId: lamp.id }, { quantity: 1, extra: 1 }],
		shippingCity: 5, customerNotes: {}, nonsense: true,
	});
	await refuseFields(['items', 'shippingAddress'], {});
	await refuseFields(['items'], body([]));
	await refuseFields(['items'], body({}));
	await refuseFields(['items'], body('x'));
	await refuseFields(['items'], body(null));
	for (const item of [5, 'x', null, [], true]) {
		const answer = await buyer.refuse(400, 'invalid_input', 'POST', PATH, { json: body([item]) });
		assert.match(answer.json.errors[0].field, /^items\[0\]/);
	}
	await refuseFields(['shippingAddress', 'customerNotes'],
	    body(lines([lamp.id, 1]), { shippingAddress: 'a'.repeat(100000), customerNotes: 'b'.repeat(200000) }));
	await refuseFields(['shippingAddress'], body(lines([lamp.id, 1]), { shippingAddress: '' }));
});

test('the same Idempotency-Key answers byte for byte, once placed', async () => {
	const key = newKey();
	const json = body(lines([lamp.id, 1]));
	const count = await orders();
	const first = await buyer.call('POST', PATH, { key, json, expect: 201 });
	const again = await buyer.call('POST', PATH, { key, json, expect: 201 });

	assert.deepEqual(again.bytes, first.bytes);
	assert.equal(first.headers['idempotent-replayed'], undefined);
	assert.equal(again.headers['idempotent-replayed'], 'true');
	assert.equal(await orders(), count + 1);
	await buyer.refuse(422, 'idempotency_key_reused', 'POST', PATH, { key, json: body(lines([lamp.id, 2])) });
	await buyer.refuse(422, 'idempotency_key_reused', 'POST', PATH, { key, json: body(lines([lamp.id, 1]), { customerNotes: 'x' }) });

	const other = await customer();
	const theirs = await other.call('POST', PATH, { key, json, expect: 201 });
	assert.notEqual(theirs.json.id, first.json.id);
	assert.equal(theirs.headers['idempotent-replayed'], undefined);

	await unanswered(key);
	const busy = await buyer.refuse(409, 'request_in_progress', 'POST', PATH, { key, json });
	assert.match(busy.headers['retry-after'], /^\d+$/);
	assert.equal(await orders(), count + 1);
});

test('without a key each request is an order', async () => {
	const [a, b] = [await place(buyer, lines([lamp.id, 1])), await place(buyer, lines([lamp.id, 1]))];
	assert.notEqual(a.id, b.id);
	assert.notEqual(a.payment.paymentIntentId, b.payment.paymentIntentId);
});

test('50 requests with one key at once place one order', async () => {
	const key = newKey();
	const who = await customer();
	const scarce = await product(owner, { stock_quantity: 100 });
	const json = body(lines([scarce.id, 2]));
	const answers = await Promise.all(Array.from({ length: 50 }, () => who.call('POST', PATH, { key, json })));

	for (const answer of answers) {
		assert.ok(answer.status === 201 || (answer.status === 409 && answer.json.code === 'request_in_progress'),
		    `${answer.status} ${answer.text}`);
		if (answer.status === 409)
			assert.match(answer.headers['retry-after'], /^\d+$/);
	}
	const placed = answers.filter((answer) => answer.status === 201);
	assert.ok(placed.length >= 1);
	assert.equal(new Set(placed.map((answer) => answer.text)).size, 1);
	assert.equal(placed.filter((answer) => answer.headers['idempotent-replayed'] === undefined).length, 1);
	assert.equal(await orders(who.id), 1);
	assert.deepEqual(await stockOf(scarce.id), { received: 100, available: 98, reserved: 2, sold: 0 });
	const found = await one`SELECT count(*) AS intents FROM payments.payment p
	                          JOIN orders.orders o ON o.id = p.order_id WHERE o.user_id = ${who.id}`;
	assert.equal(found.intents, 1);
});

test('40 buyers of 10 units buy exactly 10', async () => {
	const scarce = await product(owner, { stock_quantity: 10 });
	const buyers = await Promise.all(Array.from({ length: 8 }, () => customer()));
	const answers = await Promise.all(Array.from({ length: 40 }, (_, i) =>
		buyers[i % 8].call('POST', PATH, { json: body(lines([scarce.id, 1])) })));

	const statuses = answers.map((answer) => answer.status).sort();
	assert.deepEqual(statuses, [...Array(10).fill(201), ...Array(30).fill(409)]);
	assert.deepEqual(await stockOf(scarce.id), { received: 10, available: 0, reserved: 10, sold: 0 });
});

test('orders of the same products in opposite order do not block each other', async () => {
	const many = await Promise.all(Array.from({ length: 4 }, () => product(owner, { stock_quantity: 100 })));
	const buyers = await Promise.all(Array.from({ length: 4 }, () => customer()));
	const answers = await Promise.all(Array.from({ length: 24 }, (_, i) => {
		const chosen = i % 2 ? many : [...many].reverse();
		return buyers[i % 4].call('POST', PATH, { json: body(lines(...chosen.map((made) => [made.id, 1]))) });
	}));

	for (const answer of answers)
		assert.equal(answer.status, 201, answer.text);
	for (const made of many)
		assert.equal((await stockOf(made.id)).reserved, 24);
});

test('the total is what Stripe is asked for, over many baskets', async () => {
	const goods = await Promise.all(['0.01', '0.99', '33.33', '1.05', '19.95'].map((price) => product(owner, { price })));
	for (let i = 1; i <= 6; i++) {
		const placed = await place(buyer, lines(...goods.slice(0, i % 5 + 1).map((made, at) => [made.id, i + at])));
		assertOrder(placed);
		assert.equal((await intent(placed.payment.paymentIntentId)).amount, cents(placed.total_amount));
	}
});

let somebody;
const person = async () => somebody ??= await customer();
refusesBadTokens('POST', PATH, person, { json: { items: lines([1, 1]), ...ADDRESS } });
refusesBadBodies('POST', PATH, async () => (await person()).token);
