import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { admin, assertMembers, customer, lines, order, pay, place, product, seller, untilOrder } from '../../lib/shop.mjs';
import { cancel, intent } from '../../lib/simulator.mjs';

const PATH = '/api/payments/create-intent';
let owner;
let buyer;
let lamp;
const ask = (who, orderId) => who.call('POST', PATH, { json: { orderId }, expect: 200 });
const fresh = () => place(buyer, lines([lamp.id, 1]));

before(async () => {
	owner = await seller();
	buyer = await customer();
	lamp = await product(owner, { stock_quantity: 1000 });
});

test('an order\'s own intent, the same however often asked', async () => {
	const placed = await fresh();
	const { json } = await ask(buyer, placed.id);

	assertMembers(json, ['id', 'paymentIntentId', 'clientSecret', 'amount', 'currency', 'status']);
	assert.equal(json.id, placed.payment.paymentIntentId);
	assert.equal(json.paymentIntentId, json.id);
	assert.equal(json.clientSecret, placed.payment.clientSecret);
	assert.equal(json.amount, placed.total_amount);
	assert.equal(json.currency, placed.currency);
	assert.equal((await intent(json.id)).client_secret, json.clientSecret);

	const answers = await Promise.all(Array.from({ length: 12 }, () => ask(buyer, placed.id)));
	for (const answer of answers)
		assert.deepEqual(answer.json, json);
});

test('an order id may be text, as ids in many clients are', async () => {
	const placed = await fresh();
	const answer = await buyer.call('POST', PATH, { json: { orderId: String(placed.id) } });
	assert.ok([200, 400].includes(answer.status));
});

test('somebody else\'s order does not exist', async () => {
	const placed = await fresh();
	for (const who of [await customer(), await seller(), owner])
		await who.refuse(404, 'not_found', 'POST', PATH, { json: { orderId: placed.id } });
	await buyer.refuse(404, 'not_found', 'POST', PATH, { json: { orderId: 999999999999 } });
});

test('not even an admin is given a client secret', async () => {
	const placed = await fresh();
	const answer = await (await admin()).call('POST', PATH, { json: { orderId: placed.id } });
	assert.equal(answer.status, 404);
});

test('a paid order is 409', async () => {
	const placed = await fresh();
	await pay(buyer, placed);
	await buyer.refuse(409, 'order_already_paid', 'POST', PATH, { json: { orderId: placed.id } });
});

test('a cancelled order is 409', async () => {
	const placed = await fresh();
	await cancel(placed.payment.paymentIntentId);
	await untilOrder(buyer, placed.id, 'cancelled');
	await buyer.refuse(409, 'order_cancelled', 'POST', PATH, { json: { orderId: placed.id } });
	assert.equal((await order(buyer, placed.id)).payment_status, 'cancelled');
});

test('an order id that is none is 400', async () => {
	for (const orderId of [null, 'abc', '', 0, -1, 1.5, true, {}, [1]])
		await buyer.refuseFields(['orderId'], 'POST', PATH, { json: { orderId } });
	await buyer.refuseFields(['orderId'], 'POST', PATH, { json: {} });
	await buyer.refuseFields(['amount'], 'POST', PATH, { json: { orderId: 1, amount: '0.01' } });
	const answer = await buyer.call('POST', PATH, { body: '{"orderId":99999999999999999999}' });
	assert.ok([400, 404].includes(answer.status));
});

let somebody;
const person = async () => somebody ??= await customer();
refusesBadTokens('POST', PATH, person, { json: { orderId: 1 } });
refusesBadBodies('POST', PATH, async () => (await person()).token);
