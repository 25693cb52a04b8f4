import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { customer, lines, order, pay, place, product, seller, stockOf, untilOrder } from '../../lib/shop.mjs';
import { confirm, eventsOf } from '../../lib/simulator.mjs';
import { one, rows, value } from '../../lib/sql.mjs';
import { deliver, digest, event, eventId, now, secrets, signature } from '../../lib/webhook.mjs';
import { refuse } from '../../lib/client.mjs';

const PATH = '/api/payments/webhook';
let buyer;
let lamp;
const fresh = () => place(buyer, lines([lamp.id, 1]));
const stored = (id) => value`SELECT count(*) FROM payments.webhook_event WHERE id = ${id}`;
const received = (what, options) => deliver(what, { expect: 200, ...options });
const badSignature = async (body, header) => {
	const answer = await deliver(body, { signature: header });
	assert.equal(`${header} ${answer.status} ${answer.json.code}`, `${header} 400 bad_signature`);
};

before(async () => {
	buyer = await customer();
	lamp = await product(await seller(), { stock_quantity: 1000 });
});

test('a signed event is stored', async () => {
	const told = event('charge.updated', { id: 'ch_1', object: 'charge' });
	const answer = await received(told);
	assert.deepEqual(answer.json, { received: true });
	assert.equal(await stored(told.id), 1);
});

test('an event again, and ten at once, is once', async () => {
	const told = event('customer.created', { id: 'cus_1', object: 'customer' });
	await Promise.all(Array.from({ length: 10 }, () => received(told)));
	await received(told);
	assert.equal(await stored(told.id), 1);
});

test('types nobody has heard of are received', async () => {
	for (const type of ['some.future.event', 'payment_intent.partially_funded', 'x'])
		assert.deepEqual((await received(event(type, { id: 'x_1', object: 'x' }))).json, { received: true });
});

test('signatures that are missing or malformed are 400 and change nothing', async () => {
	const told = event('charge.updated', { id: 'ch_2', object: 'charge' });
	const body = JSON.stringify(told);
	const good = digest(body, now(), secrets()[0]);

	await badSignature(body, null);
	for (const header of ['', 'x', 't=', 'v1=', `t=${now()}`, `v1=${good}`, `t=${now()},v1=`, `t=${now()},v0=${good}`,
	    `t=${now()},v1=${good.slice(0, -2)}`, `t=${now()},v1=${good}00`, `t=${now()},v1=${'0'.repeat(64)}`,
	    `t=${now()},v1=${'z'.repeat(64)}`, `t=abc,v1=${good}`, `t=-${now()},v1=${good}`, `t=${now()}x,v1=${good}`,
	    `t=99999999999999999999,v1=${good}`, `t=${now()},t=${now()},v1=${'1'.repeat(64)}`, `${now()},${good}`,
	    `t=${now()};v1=${good}`, `t=${now()},v1=${'a'.repeat(5000)}`])
		await badSignature(body, header);
	assert.equal(await stored(told.id), 0);
});

test('a signature with another secret, of another body or another time is 400', async () => {
	const told = event('charge.updated', { id: 'ch_3', object: 'charge' });
	const body = JSON.stringify(told);

	for (const secret of ['whsec_other', secrets()[0].replace(/^whsec_/, ''), '', `${secrets()[0]}x`])
		await badSignature(body, signature(body, { secret }));
	await badSignature(`${body} `, signature(body));
	await badSignature(body.replace('ch_3', 'ch_4'), signature(body));
	await badSignature(body, `t=${now() + 1},v1=${digest(body, now(), secrets()[0])}`);
	assert.equal(await stored(told.id), 0);
});

test('a signature older than 300 s is 400, one of 290 s is not', async () => {
	const stale = event('charge.updated', { id: 'ch_5', object: 'charge' });
	for (const time of [now() - 302, now() - 3600, 0])
		await badSignature(JSON.stringify(stale), signature(JSON.stringify(stale), { time }));
	assert.equal(await stored(stale.id), 0);
	await received(event('charge.updated', { id: 'ch_6', object: 'charge' }), { time: now() - 290 });
});

test('one right signature of several is enough', async () => {
	const body = JSON.stringify(event('charge.updated', { id: 'ch_7', object: 'charge' }));
	const time = now();
	const good = digest(body, time, secrets()[0]);
	for (const header of [`t=${time},v1=${'0'.repeat(64)},v1=${good}`, `t=${time},v1=${good},v0=${'1'.repeat(64)}`,
	    `v1=${good},t=${time}`])
		await received(body, { signature: header });
});

test('every secret counts during a roll', async () => {
	for (const secret of secrets())
		await received(event('charge.updated', { id: 'ch_8', object: 'charge' }), { secret });
});

test('the signature is of the bytes, whatever they are', async () => {
	const told = { ...event('charge.updated', { id: 'ch_9', object: 'charge' }), note: 'Żółć € 🐪' };
	await received(JSON.stringify(told, null, 2));
	await received(JSON.stringify({ ...told, id: eventId() }), { type: 'application/json; charset=utf-8' });
});

test('signed bodies that are no event are 400', async () => {
	for (const body of ['', '{', 'null', '[]', '"x"', '5', '{}', '{"id":"evt_1"}',
	    '{"type":"x"}', '{"id":"","type":"x","data":{"object":{}}}', '{"id":"evt_1","type":null}',
	    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), '['.repeat(1000)]) {
		const answer = await deliver(body);
		assert.equal(`${body} ${answer.status}`, `${body} 400`);
	}
	assert.equal(await stored('evt_1'), 0);
});

test('a body over the limit is 413', async () => {
	await refuse(413, 'body_too_large', 'POST', PATH,
	    { body: JSON.stringify({ x: 'a'.repeat(1200 * 1024) }), headers: { 'Stripe-Signature': 't=1,v1=00' } });
});

test('odd objects of an event do no harm', async () => {
	for (const object of [{}, { id: 5 }, { id: 'pi_x', object: 'payment_intent' },
	    { id: 'pi_x', object: 'payment_intent', metadata: { order_id: 'abc' } },
	    { id: 'pi_x', object: 'payment_intent', metadata: { order_id: '99999999999999999999' } },
	    { id: 'pi_x', object: 'payment_intent', metadata: { order_id: '999999999999' }, amount_received: 1, currency: 'usd' },
	    { id: 'pi_x', object: 'payment_intent', metadata: [] }, { id: 'pi_x', object: 'payment_intent', metadata: null },
	    { id: 'pi_x', object: 'payment_intent', metadata: { order_id: {} }, amount_received: 'x' }])
		for (const type of ['payment_intent.succeeded', 'payment_intent.payment_failed', 'payment_intent.canceled']) {
			const answer = await deliver(event(type, object));
			assert.ok([200, 400].includes(answer.status), `${type} ${JSON.stringify(object)} ${answer.text}`);
		}
});

test('a payment event pays its order exactly once, however often it comes', async () => {
	const placed = await fresh();
	await confirm(placed.payment.paymentIntentId);
	const [told] = await eventsOf(placed.payment.paymentIntentId, 'payment_intent.succeeded');
	await Promise.all(Array.from({ length: 8 }, () => received(told)));

	const paid = await untilOrder(buyer, placed.id, 'paid');
	await Promise.all(Array.from({ length: 8 }, (_, i) => received({ ...told, id: `${told.id}_copy${i}_${placed.id}` })));
	assert.deepEqual(await order(buyer, placed.id), paid);
	const history = await buyer.get(`/api/orders/${placed.id}/history`);
	assert.equal(history.filter((entry) => entry.new_status === 'paid').length, 1);
	assert.deepEqual(await rows`SELECT kind, amount FROM payments.ledger WHERE order_id = ${placed.id}`,
	    [{ kind: 'capture', amount: Number(placed.total_amount.replace('.', '')) }]);
});

test('an event that comes again is not looked at again', async () => {
	const placed = await fresh();
	const id = placed.payment.paymentIntentId;
	const outcome = () => value`SELECT outcome FROM payments.webhook_event WHERE object_id = ${id}
	                             AND type = 'payment_intent.payment_failed'`;
	await confirm(id, 'pm_card_chargeDeclined', 402);
	const [told] = await eventsOf(id, 'payment_intent.payment_failed');
	await received(told);
	assert.equal(await outcome(), 'noted');
	await pay(buyer, placed);
	await received(told);
	assert.equal(await outcome(), 'noted');
});

test('an event about somebody else\'s intent pays nothing', async () => {
	const [cheap, dear] = [await fresh(), await place(buyer, lines([lamp.id, 50]))];
	await confirm(cheap.payment.paymentIntentId);
	const [told] = await eventsOf(cheap.payment.paymentIntentId, 'payment_intent.succeeded');

	await received({ ...told, id: eventId(), data: { object: { ...told.data.object,
	    metadata: { ...told.data.object.metadata, order_id: String(dear.id) } } } });
	await untilOrder(buyer, cheap.id, 'paid');
	assert.equal((await order(buyer, dear.id)).status, 'confirmed');
});

test('events after the order is paid change nothing', async () => {
	const placed = await fresh();
	const paid = await pay(buyer, placed);
	const object = { id: placed.payment.paymentIntentId, object: 'payment_intent', amount_received: 0,
	    currency: 'usd', metadata: { order_id: String(placed.id) }, last_payment_error: { code: 'card_declined' } };

	for (const type of ['payment_intent.payment_failed', 'payment_intent.processing', 'payment_intent.created',
	    'payment_intent.canceled'])
		await received(event(type, object));
	assert.deepEqual(await order(buyer, placed.id), paid);
	const stock = await stockOf(lamp.id);
	assert.equal(stock.received, stock.available + stock.reserved + stock.sold);
});

test('a wrong amount does not pay', async () => {
	const placed = await fresh();
	const told = event('payment_intent.succeeded', { id: placed.payment.paymentIntentId, object: 'payment_intent',
	    amount: 1, amount_received: 1, currency: 'usd', status: 'succeeded',
	    metadata: { order_id: String(placed.id), nonce: (await one`SELECT nonce FROM payments.payment
	    WHERE order_id = ${placed.id}`).nonce } });
	await received(told);
	assert.notEqual((await order(buyer, placed.id)).status, 'paid');
});
