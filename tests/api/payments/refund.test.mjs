import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { refuseRefunds } from '../../lib/faults.mjs';
import { settled } from '../../lib/invariants.mjs';
import { assertMembers, assertTimes, cents, customer, lines, newAdmin, newKey, order, pay, place, product, seller, stockOf, untilOrder } from '../../lib/shop.mjs';
import { confirm, stripe } from '../../lib/simulator.mjs';
import { one, rows, run } from '../../lib/sql.mjs';
import { until } from '../../lib/wait.mjs';
import { deliver, event } from '../../lib/webhook.mjs';

const PATH = '/api/payments/refund';
let owner;
let buyer;
let boss;
let lamp;

before(async () => {
	owner = await seller();
	buyer = await customer();
	lamp = await product(owner, { stock_quantity: 1000, price: '100.00' });
});

/* A user may pay a hundred times an hour: each test has an admin of its own. */
test.beforeEach(async () => { boss = await newAdmin(); });

/* Of 120.00. */
async function paid({ card, quantity = 1 } = {}) {
	const placed = await place(buyer, lines([lamp.id, quantity]));
	await pay(buyer, placed, card);
	return placed;
}
const refund = async (orderId, more = {}) => (await boss.call('POST', PATH, { json: { orderId, ...more }, expect: 200 })).json;
const refuse = (status, code, orderId, more = {}) => boss.refuse(status, code, 'POST', PATH, { json: { orderId, ...more } });
const refundsAt = async (placed) => (await stripe('GET', `/v1/refunds?payment_intent=${placed.payment.paymentIntentId}`)).json.data;
const paymentOf = (placed) => buyer.get(`/api/payments/order/${placed.id}`);
const ledgerOf = (placed) => rows`SELECT kind, debit, credit, amount FROM payments.ledger WHERE order_id = ${placed.id} ORDER BY id`;
const sagaOf = (made) => one`SELECT state, last_error FROM orders.saga WHERE kind = 'refund' AND subject = ${made.id}`;

test('without an amount all of it goes back, and what was never sent is on sale again', async () => {
	const wares = await product(owner, { stock_quantity: 10, price: '100.00' });
	const placed = await place(buyer, lines([wares.id, 1]));
	await pay(buyer, placed);
	const made = await refund(placed.id, { reason: 'requested_by_customer' });

	assertMembers(made, ['id', 'order_id', 'stripe_refund_id', 'stripe_payment_intent_id', 'amount', 'currency',
	    'reason', 'status', 'failure_reason', 'created_at', 'updated_at'], 'refund');
	assertTimes(made, ['created_at', 'updated_at']);
	assert.deepEqual([made.order_id, made.amount, made.currency, made.reason, made.status, made.failure_reason],
	    [placed.id, '120.00', 'USD', 'requested_by_customer', 'succeeded', null]);
	const [told] = await refundsAt(placed);
	assert.deepEqual([told.id, told.amount, told.reason, told.metadata.order_id],
	    [made.stripe_refund_id, 12000, 'requested_by_customer', String(placed.id)]);
	const found = await order(buyer, placed.id);
	assert.deepEqual([found.status, found.payment_status], ['refunded', 'refunded']);
	assert.deepEqual(await stockOf(wares.id), { received: 10, available: 10, reserved: 0, sold: 0 });
	const payment = await paymentOf(placed);
	assert.deepEqual([payment.status, payment.refund_amount], ['refunded', '120.00']);
	assert.deepEqual(payment.refunds, [made]);
	const last = (await buyer.get(`/api/orders/${placed.id}/history`)).at(-1);
	assert.deepEqual([last.old_status, last.new_status, last.changed_by], ['paid', 'refunded', boss.id]);
	assert.deepEqual((await ledgerOf(placed)).map(({ kind, debit, credit, amount }) => [kind, debit, credit, amount]),
	    [['capture', 'stripe', 'customer', 12000], ['refund', 'customer', 'stripe', 12000]]);
	assert.deepEqual(await one`SELECT actor_id, after->>'amount' AS amount FROM ops.audit
	                            WHERE action = 'payment.refunded' AND target = ${`order:${placed.id}`}`,
	    { actor_id: boss.id, amount: '120.00' });
	await settled([placed.id]);
});

test('in parts, up to what was paid and never beyond', async () => {
	const placed = await paid();
	assert.equal((await refund(placed.id, { amount: '20.00' })).amount, '20.00');
	const found = await order(buyer, placed.id);
	assert.deepEqual([found.status, found.payment_status], ['paid', 'partially_refunded']);
	assert.equal((await paymentOf(placed)).refund_amount, '20.00');
	const { json } = await refuse(409, 'refund_too_large', placed.id, { amount: '100.01' });
	assert.equal(json.refundable, '100.00');
	await refund(placed.id, { amount: 30.5, reason: 'duplicate' });
	assert.equal((await refund(placed.id)).amount, '69.50');
	await refuse(409, 'already_refunded', placed.id, { amount: '0.01' });
	await refuse(409, 'already_refunded', placed.id);
	const end = await order(buyer, placed.id);
	assert.deepEqual([end.status, end.payment_status], ['refunded', 'refunded']);
	assert.deepEqual((await refundsAt(placed)).map(({ amount }) => amount), [6950, 3050, 2000]);
	await settled([placed.id]);
});

test('goods that were sent stay sold', async () => {
	const wares = await product(owner, { stock_quantity: 10 });
	const placed = await place(buyer, lines([wares.id, 3]));
	await pay(buyer, placed);
	for (const status of ['processing', 'shipped'])
		await owner.call('PUT', `/api/orders/${placed.id}/status`, { json: { status }, expect: 200 });
	await refund(placed.id);
	assert.equal((await order(buyer, placed.id)).status, 'refunded');
	assert.deepEqual(await stockOf(wares.id), { received: 10, available: 7, reserved: 0, sold: 3 });
	await settled([placed.id]);
});

test('twenty at once never give back more than was paid', async () => {
	const placed = await paid();
	const answers = await Promise.all(Array.from({ length: 20 }, () => boss.call('POST', PATH, { json: { orderId: placed.id, amount: '25.00' } })));
	assert.deepEqual(answers.map(({ status, json }) => json.code ?? status).sort(), [...Array(4).fill(200), ...Array(16).fill('refund_too_large')]);
	assert.equal((await paymentOf(placed)).refund_amount, '100.00');
	await settled([placed.id]);
	assert.deepEqual((await refundsAt(placed)).map(({ amount }) => amount), [2500, 2500, 2500, 2500]);
});

test('ten with one key are one refund and one answer', async () => {
	const placed = await paid();
	const key = newKey();
	const answers = await Promise.all(Array.from({ length: 10 }, () => until('an answer', async () => {
		const answer = await boss.call('POST', PATH, { json: { orderId: placed.id }, key });
		return answer.status !== 409 && answer;
	})));
	assert.equal(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, 1);
	assert.equal(answers[0].status, 200);
	assert.equal((await refundsAt(placed)).length, 1);
});

test('an order that is not paid is 409, one that is not there 404', async () => {
	const placed = await place(buyer, lines([lamp.id, 1]));
	await refuse(409, 'order_not_paid', placed.id);
	await buyer.call('POST', `/api/orders/${placed.id}/cancel`, { json: {}, expect: 200 });
	await refuse(409, 'order_not_paid', placed.id);
	await refuse(404, 'not_found', 987654321987654);
});

test('what Stripe refuses has failed, and the money is where it was', async () => {
	const placed = await paid();
	await refuseRefunds(placed.payment.paymentIntentId);
	const made = await refund(placed.id, { amount: '20.00' });
	assert.deepEqual([made.status, made.stripe_refund_id], ['failed', null]);
	assert.match(made.failure_reason, /uncaptured/);
	const found = await order(buyer, placed.id);
	assert.deepEqual([found.status, found.payment_status], ['paid', 'succeeded']);
	assert.equal((await paymentOf(placed)).refund_amount, '0.00');
	await settled([placed.id]);

	/* And does not count against the next. */
	await refuseRefunds(placed.payment.paymentIntentId, false);
	assert.equal((await refund(placed.id)).status, 'succeeded');
	await settled([placed.id]);
});

test('one that takes its time is pending until it has arrived', async () => {
	const placed = await paid({ card: 'pm_card_pendingRefund' });
	const made = await refund(placed.id);
	assert.equal(made.status, 'pending');
	assert.match(made.stripe_refund_id, /^re_/);
	await untilOrder(buyer, placed.id, 'refunded');
	const payment = await paymentOf(placed);
	assert.deepEqual([payment.status, payment.refunds[0].status], ['refunded', 'succeeded']);
	await settled([placed.id]);
});

test('one that fails after all is put back: ledger, payment, order and goods', async () => {
	const wares = await product(owner, { stock_quantity: 10, price: '100.00' });
	const placed = await place(buyer, lines([wares.id, 2]));
	await pay(buyer, placed, 'pm_card_refundFail');
	assert.equal((await refund(placed.id)).status, 'succeeded');
	const found = await untilOrder(buyer, placed.id, 'paid');
	assert.equal(found.payment_status, 'succeeded');
	const payment = await paymentOf(placed);
	assert.deepEqual([payment.status, payment.refund_amount, payment.refunds[0].status], ['succeeded', '0.00', 'failed']);
	assert.ok(payment.refunds[0].failure_reason);
	assert.deepEqual((await ledgerOf(placed)).map(({ kind, amount }) => [kind, amount]),
	    [['capture', 23000], ['refund', 23000], ['refund_reversal', 23000]]);
	assert.deepEqual(await stockOf(wares.id), { received: 10, available: 8, reserved: 0, sold: 2 });
	assert.deepEqual((await buyer.get(`/api/orders/${placed.id}/history`)).slice(-2).map(({ new_status: status }) => status), ['refunded', 'paid']);
	await settled([placed.id]);
	/* It can be tried again. */
	assert.equal((await refund(placed.id, { amount: '1.00' })).status, 'succeeded');
	await until('it has failed, too', async () => (await paymentOf(placed)).refunds[1].status === 'failed');
	await settled([placed.id]);
});

test('one that fails when the goods have gone: cancelled, and an operator sees that money is owed', async () => {
	const wares = await product(owner, { stock_quantity: 1, price: '100.00' });
	const placed = await place(buyer, lines([wares.id, 1]));
	await pay(buyer, placed, 'pm_card_refundFail');
	await refund(placed.id);
	await place(buyer, lines([wares.id, 1]));
	const found = await untilOrder(buyer, placed.id, 'cancelled');
	assert.equal(found.payment_status, 'succeeded');
	assert.notEqual(found.cancelled_at, null);
});

test('a cancelled order\'s refund that fails needs an operator, until the money is back', async () => {
	const placed = await paid({ card: 'pm_card_refundFail' });
	await buyer.call('POST', `/api/orders/${placed.id}/cancel`, { json: {}, expect: 200 });
	await until('it has failed', async () => (await paymentOf(placed)).status === 'succeeded');
	const [failed] = (await paymentOf(placed)).refunds;
	assert.equal(failed.status, 'failed');
	assert.equal((await sagaOf(failed)).state, 'dead');
	assert.equal((await order(buyer, placed.id)).status, 'cancelled');

	await run`UPDATE stripe_sim.payment_method SET card = 'pm_card_visa' WHERE id = (
		SELECT payment_method FROM stripe_sim.charge WHERE payment_intent = ${placed.payment.paymentIntentId})`;
	assert.equal((await refund(placed.id)).status, 'succeeded');
	assert.equal((await sagaOf(failed)).state, 'done');
	const found = await order(buyer, placed.id);
	assert.deepEqual([found.status, found.payment_status], ['cancelled', 'refunded']);
	await settled([placed.id]);
});

test('refunds made at Stripe are recorded, in parts and whole', async () => {
	const placed = await paid();
	const direct = (form) => stripe('POST', '/v1/refunds', { payment_intent: placed.payment.paymentIntentId, ...form });
	const { json: first } = await direct({ amount: 2000, reason: 'fraudulent' });
	await until('the part is known', async () => (await paymentOf(placed)).status === 'partially_refunded');
	const payment = await paymentOf(placed);
	assert.deepEqual([payment.refund_amount, payment.refunds[0].stripe_refund_id, payment.refunds[0].reason],
	    ['20.00', first.id, 'fraudulent']);
	await refuse(409, 'refund_too_large', placed.id, { amount: '100.01' });
	await direct({});
	const found = await untilOrder(buyer, placed.id, 'refunded');
	assert.equal(found.payment_status, 'refunded');
	const last = (await buyer.get(`/api/orders/${placed.id}/history`)).at(-1);
	assert.deepEqual([last.new_status, last.changed_by], ['refunded', null]);
	await settled([placed.id]);
});

test('events about refunds come late, twice, in any order: once in effect', async () => {
	const placed = await paid();
	const made = await refund(placed.id, { amount: '20.00' });
	const [told] = await refundsAt(placed);
	for (const [type, more] of [['refund.updated', {}], ['charge.refund.updated', {}], ['refund.created', { status: 'pending' }],
	    ['refund.failed', { status: 'failed', failure_reason: 'expired_or_canceled_card' }], ['refund.created', {}], ['refund.updated', {}]])
		for (let i = 0; i < 2; i++)
			await deliver(event(type, { ...told, ...more }), { expect: 200 });
	const [found] = (await paymentOf(placed)).refunds;
	assert.deepEqual([found.id, found.status, found.failure_reason], [made.id, 'failed', 'expired_or_canceled_card']);
	assert.deepEqual((await ledgerOf(placed)).map(({ kind }) => kind), ['capture', 'refund', 'refund_reversal']);
	assert.equal((await order(buyer, placed.id)).payment_status, 'succeeded');
});

test('a refund told before the payment it is of counts once that is known', async () => {
	const placed = await place(buyer, lines([lamp.id, 1]));
	const id = placed.payment.paymentIntentId;
	const told = { object: 'refund', id: `re_${placed.id}early`, payment_intent: id, amount: 2000, currency: 'usd', status: 'succeeded', metadata: {} };
	await deliver(event('refund.created', told), { expect: 200 });
	assert.equal((await paymentOf(placed)).refund_amount, '0.00');
	await confirm(id);
	await untilOrder(buyer, placed.id, 'paid');
	const payment = await paymentOf(placed);
	assert.deepEqual([payment.status, payment.refund_amount, payment.refunds.length], ['partially_refunded', '20.00', 1]);
});

test('events that make no sense of a payment of ours change nothing', async () => {
	const placed = await paid();
	const told = { object: 'refund', id: 're_nonsense', payment_intent: placed.payment.paymentIntentId, amount: 2000, currency: 'usd', status: 'succeeded', metadata: {} };
	for (const more of [{ amount: -5 }, { amount: 'x' }, { amount: null }, { amount: 0 }, { amount: 1e300 }, { currency: 'eur' }, { currency: null },
	    { id: null }, { id: "re_'; --" }, { payment_intent: 'pi_unknown' }, { payment_intent: null }, { metadata: 7 }, { object: 'charge' }])
		await deliver(event('refund.created', { ...told, ...more, metadata: more.metadata ?? {}, ...(more.metadata ? { amount: 0 } : {}) }), { expect: 200 });
	const payment = await paymentOf(placed);
	assert.deepEqual([payment.status, payment.refunds], ['succeeded', []]);
});

test('only admins refund', async () => {
	const placed = await paid();
	for (const who of [buyer, owner, await customer(), await seller()])
		await who.refuse(403, 'forbidden', 'POST', PATH, { json: { orderId: placed.id } });
	assert.equal((await order(buyer, placed.id)).payment_status, 'succeeded');
});

test('bad input is 400, all of it at once', async () => {
	const placed = await paid();
	await boss.refuseFields(['orderId'], 'POST', PATH, { json: {} });
	await boss.refuseFields(['orderId', 'amount', 'reason'], 'POST', PATH, { json: { orderId: 'abc', amount: '1.005', reason: 'why not' } });
	for (const amount of ['0', '0.00', 0, '-1', -1, '1e2', 'NaN', '', '1,5', true, ['1'], '99999999999999.00'])
		await boss.refuseFields(['amount'], 'POST', PATH, { json: { orderId: placed.id, amount } });
	await boss.refuseFields(['currency'], 'POST', PATH, { json: { orderId: placed.id, currency: 'EUR' } });
	assert.equal((await order(buyer, placed.id)).payment_status, 'succeeded');
});

test('cents of every amount are kept', async () => {
	const placed = await paid();
	assert.equal(cents((await refund(placed.id, { amount: '0.01' })).amount), 1);
	assert.equal(cents((await refund(placed.id, { amount: '119.99' })).amount), 11999);
	await settled([placed.id]);
});

let somebody;
refusesBadTokens('POST', PATH, async () => somebody ??= await newAdmin());
refusesBadBodies('POST', PATH, () => boss.token);

test('while a refund is pending, somebody asks for all of it at Stripe: nothing is left, until that fails', async () => {
	const placed = await paid({ card: 'pm_card_pendingRefund' });
	const id = `re_3${randomBytes(12).toString('hex')}`;
	const tell = (type, status) => deliver(event(type, {
		id, object: 'refund', amount: 12000, currency: 'usd',
		payment_intent: placed.payment.paymentIntentId, status, metadata: {},
	}), { expect: 200 });
	assert.equal((await refund(placed.id, { amount: '70.00' })).status, 'pending');
	await tell('refund.created', 'pending');
	await refuse(409, 'already_refunded', placed.id);
	await refuse(409, 'already_refunded', placed.id, { amount: '1.00' });
	await tell('refund.failed', 'failed');
	await refuse(409, 'refund_too_large', placed.id, { amount: '50.01' });
});
