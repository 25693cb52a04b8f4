/*
 * What an operator sees of sagas, and does to them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { always, settled } from '../../lib/invariants.mjs';
import { audits, operator, operatorEvents, REASON, refundByHand, sagaOf, SAGAS, stop, stuckRefund, waiting } from '../../lib/operator.mjs';
import { assertPagination, assertTimes, customer, order, pay, seller, stockOf, unique } from '../../lib/shop.mjs';
import { confirm, intent, stripe } from '../../lib/simulator.mjs';
import { one, rows, run } from '../../lib/sql.mjs';
import { until } from '../../lib/wait.mjs';

const list = async (query) => (await operator()).get(`${SAGAS}?${query}`);
const view = async (id) => (await operator()).get(`${SAGAS}/${id}`);
const act = async (id, what, json = REASON, options = {}) =>
	(await (await operator()).call('POST', `${SAGAS}/${id}/${what}`, { json, expect: 200, ...options })).json;
const refusal = async (status, code, id, what, json = REASON) =>
	(await operator()).refuse(status, code, 'POST', `${SAGAS}/${id}/${what}`, { json });
const refuseSkip = (code, id, refundId) => refusal(409, code, id, 'skip', { ...REASON, refundId });

test('a saga is found by its order', async () => {
	const { placed, saga } = await waiting();
	const { sagas: [found], pagination } = await list(`order=${placed.id}`);

	assertPagination(pagination);
	assert.equal(pagination.total, 1);
	assert.equal(found.id, saga.id);
	assert.deepEqual([found.order_id, found.kind, found.state, found.step, found.waits_for, found.is_overdue],
	    [placed.id, 'order', 'waiting', 'await_payment', 'payment', false]);
	assert.deepEqual(found.acts, ['retry', 'compensate']);
	assertTimes(found, ['wakes_at', 'deadline', 'created_at', 'updated_at']);
});

test('every filter filters, and the total is theirs', async () => {
	const step = `test-${unique()}`;
	const made = [await waiting(), await waiting(), await waiting()];
	const [a, b, c] = made.map(({ saga }) => saga.id);
	for (const { saga } of made) {
		await stop(saga.id);
		await run`UPDATE orders.saga SET step = ${step} WHERE id = ${saga.id}`;
	}
	await run`UPDATE orders.saga SET created_at = now() - interval '2 hours' WHERE id = ${b}`;
	await run`UPDATE orders.saga SET state = 'paused' WHERE id = ${c}`;
	const found = async (query) => {
		const { sagas, pagination } = await list(`step=${step}&${query}`);
		assert.equal(pagination.total, sagas.length);
		return sagas.map(({ id }) => id);
	};

	assert.deepEqual(await found(''), [c, b, a]);
	assert.deepEqual(await found('state=dead'), [b, a]);
	assert.deepEqual(await found('state=paused'), [c]);
	assert.deepEqual(await found('state=done'), []);
	assert.deepEqual(await found('kind=order'), [c, b, a]);
	assert.deepEqual(await found('kind=refund'), []);
	assert.deepEqual(await found('kind=nothing'), []);
	assert.deepEqual(await found('minAge=3600'), [b]);
	assert.deepEqual(await found(`order=${made[0].placed.id}`), [a]);
	assert.deepEqual(await found('minOverdue=0'), [], 'what has stopped has no alarm');
});

test('an overdue alarm is found by how long it is', async () => {
	const { placed, saga } = await waiting();
	/* Of a version that no program here has: nobody comes. */
	await run`UPDATE orders.saga SET version = 99, wake_at = now() - interval '1 hour' WHERE id = ${saga.id}`;
	const found = async (seconds) => (await list(`order=${placed.id}&minOverdue=${seconds}`)).sagas.length;

	assert.deepEqual([await found(0), await found(3000), await found(3700)], [1, 1, 0]);
	assert.ok((await list('minOverdue=3000&limit=100')).sagas.some(({ id }) => id === saga.id));
	const { sagas: [late] } = await list(`order=${placed.id}`);
	assert.deepEqual([late.waits_for, late.is_overdue], ['recovery', true]);
	await run`UPDATE orders.saga SET version = 1 WHERE id = ${saga.id}`;
});

test('pages and cursors walk the same list', async () => {
	const step = `test-${unique()}`;
	const expected = [];
	for (let i = 0; i < 5; i++) {
		const { saga } = await waiting();
		await stop(saga.id);
		await run`UPDATE orders.saga SET step = ${step} WHERE id = ${saga.id}`;
		expected.unshift(saga.id);
	}
	const byPage = [];
	for (let page = 1; page <= 3; page++)
		byPage.push(...(await list(`step=${step}&limit=2&page=${page}`)).sagas);
	const byCursor = [];
	for (let cursor = ''; cursor !== null;) {
		const { sagas, pagination } = await list(`step=${step}&limit=2${cursor && `&cursor=${cursor}`}`);
		byCursor.push(...sagas);
		cursor = pagination.next_cursor;
	}
	assert.deepEqual(byPage.map(({ id }) => id), expected);
	assert.deepEqual(byCursor.map(({ id }) => id), expected);
});

test('filters that are none are 400, all at once', async () => {
	await (await operator()).refuseFields(['state', 'order', 'minAge', 'minOverdue', 'limit', 'step'],
	    'GET', `${SAGAS}?state=late&order=x&minAge=-1&minOverdue=-1&limit=101&step=${'x'.repeat(61)}`);
	await (await operator()).refuse(400, 'malformed_request', 'GET', `${SAGAS}?state=%zz`);
});

test('a saga is shown with all that happened', async () => {
	const { buyer, placed, saga } = await waiting();
	await pay(buyer, placed);
	const found = await view(saga.id);
	const told = found.timeline.map(({ source, step, what }) => [source, step, what].filter(Boolean).join(' '));

	assert.equal(found.saga.state, 'done');
	assert.deepEqual([found.saga.waits_for, found.saga.acts], [null, []]);
	assert.equal(found.intent, placed.payment.paymentIntentId);
	assert.equal(found.amount, placed.total_amount);
	assert.deepEqual([found.order.id, found.order.status, found.order.user_id], [placed.id, 'paid', buyer.id]);
	assert.equal(found.payment.stripe_payment_intent_id, found.intent);
	for (const entry of ['saga reserve_stock done', 'saga create_intent done', 'saga await_payment done', 'order pending',
	    'order confirmed', 'order paid', 'stripe payment_intent.succeeded', 'ledger capture'])
		assert.ok(told.includes(entry), `${entry} in ${told}`);
	assert.equal(found.timeline_total, found.timeline.length);
	const times = found.timeline.map(({ at }) => at);
	assert.deepEqual(times, [...times].sort(), 'the latest last');
	assert.ok(!JSON.stringify(found).includes('_secret_'), 'the client secret is its owner\'s');
});

test('a timeline that is too long is shown from its end', async () => {
	const { saga } = await waiting();
	await run`INSERT INTO orders.saga_event (saga_id, seq, epoch, step, what, at)
	          SELECT ${saga.id}, ${saga.seq} + n, 1, 'await_payment', 'retry', now() + n * interval '1 second'
	            FROM generate_series(1, 1500) n;
	          UPDATE orders.saga SET seq = seq + 1500 WHERE id = ${saga.id}`;
	const { timeline, timeline_total: total } = await view(saga.id);
	assert.equal(timeline.length, 1000);
	assert.ok(total >= 1500);
	assert.ok(timeline.every(({ what }) => what === 'retry'));
	assert.equal(timeline.at(-1).at > timeline[0].at, true);
});

test('the sagas of an order know of each other', async () => {
	const story = await waiting();
	const { saga } = await stuckRefund(story);
	assert.deepEqual((await view(story.saga.id)).other_sagas.map(({ id }) => id), [saga.id]);
	const found = await view(saga.id);
	assert.deepEqual(found.other_sagas.map(({ id }) => id), [story.saga.id]);
	assert.equal(found.amount, '12.34');
	assert.deepEqual((await list(`order=${story.placed.id}`)).sagas.map(({ id }) => id), [saga.id, story.saga.id]);
});

test('one that waits is looked at now; it is on record who did', async () => {
	const { saga } = await waiting();
	const { outcome, saga: now } = await act(saga.id, 'retry');
	const boss = await operator();

	assert.equal(outcome, 'waiting');
	assert.deepEqual([now.state, now.step, now.owner, now.waits_for], ['waiting', 'await_payment', null, 'payment']);
	assert.equal(now.epoch, saga.epoch + 1);
	assert.deepEqual(await operatorEvents(saga.id),
	    [{ step: 'await_payment', detail: `retry: ${REASON.reason}`, epoch: now.epoch, actor_id: boss.id }]);
	assert.deepEqual(await audits(`saga:${saga.id}`), [{
		actor_id: boss.id, action: 'saga.retry',
		before: { state: 'waiting', step: 'await_payment', epoch: saga.epoch },
		after: { state: 'waiting', step: 'await_payment', epoch: now.epoch, reason: REASON.reason },
	}]);
	const { timeline } = await view(saga.id);
	assert.ok(timeline.some(({ what, actor_id: who }) => what === 'operator' && who === boss.id));
});

for (const state of ['dead', 'paused'])
	test(`one that is ${state} goes on where it was`, async () => {
		const { buyer, placed, saga } = await waiting();
		await stop(saga.id, state);
		assert.deepEqual((await view(saga.id)).saga.acts, ['retry', 'compensate', 'skip']);
		const { outcome, saga: now } = await act(saga.id, 'retry');

		assert.equal(outcome, 'waiting');
		assert.deepEqual([now.state, now.step], ['waiting', 'await_payment']);
		await pay(buyer, placed);
		await settled([placed.id]);
	});

test('one that died being undone days ago is undone', async () => {
	const { placed, saga, goods } = await waiting({ quantity: 4 });
	await run`UPDATE orders.saga SET state = 'compensating', step = 'create_intent', cause = 'Not paid in time',
	                 owner = 'a test', wake_at = now() + interval '1 hour' WHERE id = ${saga.id}`;
	await stop(saga.id);
	await run`UPDATE orders.saga SET created_at = now() - interval '3 days', tried_since = now() - interval '3 days' WHERE id = ${saga.id}`;
	assert.equal((await act(saga.id, 'retry')).outcome, 'compensated');
	assert.equal((await intent(placed.payment.paymentIntentId)).status, 'canceled');
	assert.deepEqual(await stockOf(goods.id), { received: 10, available: 10, reserved: 0, sold: 0 });
	await settled([placed.id]);
});

test('one that begins to be undone when it is days old has its time for that', async () => {
	const { placed, saga } = await waiting();
	await run`UPDATE orders.saga SET created_at = now() - interval '3 days', tried_since = now() - interval '3 days' WHERE id = ${saga.id}`;
	await run`UPDATE orders.saga SET deadline = now(), wake_at = now() WHERE id = ${saga.id}`;
	await until('it is undone', async () => (await sagaOf(placed.id)).state === 'compensated');
	await settled([placed.id]);
});

test('an order is undone: intent cancelled, stock back, the reason kept from the buyer', async () => {
	const { buyer, placed, saga, goods } = await waiting({ quantity: 4 });
	const { outcome, saga: now } = await act(saga.id, 'compensate', { reason: 'Smells of fraud' });

	assert.equal(outcome, 'compensated');
	assert.deepEqual([now.state, now.waits_for, now.acts], ['compensated', null, []]);
	assert.equal((await intent(placed.payment.paymentIntentId)).status, 'canceled');
	assert.deepEqual(await stockOf(goods.id), { received: 10, available: 10, reserved: 0, sold: 0 });
	assert.equal((await order(buyer, placed.id)).status, 'cancelled');
	const history = await buyer.get(`/api/orders/${placed.id}/history`);
	assert.equal(history.at(-1).notes, 'Cancelled by the shop');
	assert.ok(!JSON.stringify(history).includes('fraud'));
	assert.deepEqual((await audits(`saga:${saga.id}`)).map(({ action, after }) => [action, after.reason]),
	    [['saga.compensate', 'Smells of fraud']]);
	await settled([placed.id]);
});

test('undoing one that stopped is possible, undoing twice is not', async () => {
	const { placed, saga } = await waiting();
	await stop(saga.id);
	await run`UPDATE orders.saga SET state = 'compensating', step = 'create_intent', wake_at = now() + interval '1 hour', owner = 'a test'
	           WHERE id = ${saga.id}`;
	await refusal(409, 'saga_not_compensable', saga.id, 'compensate');
	await run`UPDATE orders.saga SET state = 'waiting', step = 'await_payment' WHERE id = ${saga.id}`;
	await stop(saga.id);
	assert.equal((await act(saga.id, 'compensate')).outcome, 'compensated');
	await settled([placed.id]);
});

test('what gives money back is not undone', async () => {
	const { saga } = await stuckRefund();
	await refusal(409, 'saga_not_compensable', saga.id, 'compensate');
	assert.deepEqual(await operatorEvents(saga.id), []);
});

test('a refund that stopped is tried again, and made once', async () => {
	const { saga, intent: paid, amount } = await stuckRefund();
	assert.deepEqual((await view(saga.id)).saga.acts, ['retry', 'skip']);
	assert.equal((await act(saga.id, 'retry')).outcome, 'refund_succeeded');
	const refunds = (await stripe('GET', `/v1/refunds?payment_intent=${paid}`)).json.data;
	assert.deepEqual(refunds.map((each) => each.amount), [amount]);
	assert.equal((await sagaOf(saga.order_id, 'refund')).state, 'done');
});

/* Stripe has told of it. */
const known = (refund) => until('the refund is known', async () =>
	(await one`SELECT status FROM payments.refund WHERE stripe_refund_id = ${refund.id}`)?.status === 'succeeded');

test('a refund made by hand is taken for the saga\'s own', async () => {
	const { saga, intent: paid, amount } = await stuckRefund();
	const made = await refundByHand(paid);
	await known(made);
	const { outcome, saga: now } = await act(saga.id, 'skip', { ...REASON, refundId: made.id });

	assert.equal(outcome, 'refund_succeeded');
	assert.equal(now.state, 'done');
	assert.deepEqual(await rows`SELECT amount, debit, credit FROM payments.ledger WHERE stripe_id = ${made.id}`,
	    [{ amount, debit: 'customer', credit: 'stripe' }]);
	const [asked, found] = await rows`SELECT id, status, failure_reason, stripe_refund_id, made_by_hand FROM payments.refund
	                                   WHERE order_id = ${saga.order_id} ORDER BY id`;
	assert.deepEqual([asked.status, asked.failure_reason, asked.made_by_hand, asked.stripe_refund_id],
	    ['cancelled', `Made by hand: ${made.id}`, found.id, null]);
	assert.deepEqual([found.status, found.stripe_refund_id], ['succeeded', made.id]);
	const refunds = (await stripe('GET', `/v1/refunds?payment_intent=${paid}`)).json.data;
	assert.deepEqual(refunds.map(({ id }) => id), [made.id], 'no other was made');
	const [event] = await operatorEvents(saga.id);
	assert.equal(event.detail, `skip: ${REASON.reason} (${made.id})`);
	assert.equal((await audits(`saga:${saga.id}`))[0].action, 'saga.skip');
	await always();
});

test('a refund that is not this one is refused, and nothing is recorded', async () => {
	const { saga, intent: paid } = await stuckRefund();
	const other = await stuckRefund();
	const elsewhere = await refundByHand(other.intent);
	const part = await refundByHand(paid, { amount: 1000 });

	for (const id of ['re_nobody', elsewhere.id, part.id])
		await refuseSkip('refund_does_not_fit', saga.id, id);
	await (await operator()).refuseFields(['refundId'], 'POST', `${SAGAS}/${saga.id}/skip`,
	    { json: { ...REASON, refundId: 're_1/../../customers' } });
	assert.deepEqual(await operatorEvents(saga.id), []);
	assert.equal((await sagaOf(saga.order_id, 'refund')).state, 'dead');
});

test('a refund made by hand stands for one saga, not for two', async () => {
	const { saga, intent: paid, placed } = await stuckRefund();
	await run`BEGIN; SELECT payments.refund_add(${placed.id}, ${paid}, 1234, 'USD', NULL, NULL, NULL);
		UPDATE orders.saga SET state = 'dead', wake_at = NULL WHERE order_id = ${placed.id} AND kind = 'refund'; COMMIT`;
	const { id: second } = await one`SELECT id FROM orders.saga WHERE order_id = ${placed.id} AND kind = 'refund' AND id <> ${saga.id}`;
	const made = await refundByHand(paid);
	await known(made);
	await act(saga.id, 'skip', { ...REASON, refundId: made.id });
	await refuseSkip('saga_finished', saga.id, made.id);
	await refuseSkip('refund_does_not_fit', second, made.id);
	/* Nor does one that another saga made. */
	assert.equal((await act(second, 'retry')).outcome, 'refund_succeeded');
	const third = await stuckRefund({ placed });
	const { stripe_refund_id: ours } = await one`SELECT stripe_refund_id FROM payments.refund r
		JOIN orders.saga s ON s.subject = r.id::text WHERE s.id = ${second} AND s.kind = 'refund'`;
	await refuseSkip('refund_does_not_fit', third.saga.id, ours);
	await always();
});

test('a refund that failed is made anew, or by hand', async () => {
	for (const way of ['retry', 'skip']) {
		const { saga, intent: paid } = await stuckRefund();
		await run`UPDATE payments.refund SET status = 'failed', failure_reason = 'the bank says no',
		                 stripe_refund_id = ${`re_failed${unique()}`} WHERE id = ${saga.subject}`;
		const made = way === 'skip' && await refundByHand(paid);
		if (made)
			await known(made);
		const { outcome, saga: now } = await act(saga.id, way, { ...REASON, ...made && { refundId: made.id } });
		assert.deepEqual([outcome, now.state], ['refund_succeeded', 'done']);
		const refunds = (await stripe('GET', `/v1/refunds?payment_intent=${paid}`)).json.data;
		assert.deepEqual(refunds.map(({ amount }) => amount), [1234]);
	}
	await always();
});

test('a refund that Stripe is at work on is not skipped', async () => {
	const { saga, intent: paid } = await stuckRefund();
	const made = await refundByHand(paid);
	await run`UPDATE payments.refund SET stripe_refund_id = ${`re_slow${unique()}`} WHERE id = ${saga.subject}`;
	await refuseSkip('step_not_skippable', saga.id, made.id);
	assert.deepEqual((await view(saga.id)).saga.acts, ['retry']);
	await run`UPDATE payments.refund SET stripe_refund_id = NULL WHERE id = ${saga.subject}`;
});

test('a refund whose key Stripe may have forgotten is looked for before it is made', async () => {
	const { saga, intent: paid, amount } = await stuckRefund();
	const made = await refundByHand(paid, { 'metadata[refund_id]': saga.subject });
	await run`UPDATE orders.saga SET created_at = now() - interval '2 days' WHERE id = ${saga.id}`;
	await known(made);
	if ((await sagaOf(saga.order_id, 'refund')).state !== 'done')
		await act(saga.id, 'retry');
	const refunds = (await stripe('GET', `/v1/refunds?payment_intent=${paid}`)).json.data;
	assert.deepEqual(refunds.map((each) => each.amount), [amount]);
	assert.equal((await sagaOf(saga.order_id, 'refund')).state, 'done');
});

test('a refund that has failed is no refund', async () => {
	const { saga, intent: paid } = await stuckRefund();
	const made = await refundByHand(paid);
	await known(made);
	await run`UPDATE stripe_sim.refund SET status = 'pending' WHERE id = ${made.id}`;
	await refuseSkip('refund_does_not_fit', saga.id, made.id);
});

test('a step with nothing to show for it is not skipped', async () => {
	const { saga } = await waiting();
	await refuseSkip('step_not_skippable', saga.id, 're_1');
	await run`UPDATE orders.saga SET state = 'running', step = 'create_intent', owner = 'a test', wake_at = now() + interval '1 hour' WHERE id = ${saga.id}`;
	await stop(saga.id);
	await refuseSkip('step_not_skippable', saga.id, 're_1');
});

/* The buyer pays another amount than was asked. */
async function misfit() {
	const story = await waiting({ quantity: 2 });
	const id = story.placed.payment.paymentIntentId;
	await stripe('POST', `/v1/payment_intents/${id}`, { amount: 700 });
	await confirm(id);
	assert.equal((await act(story.saga.id, 'retry')).outcome, 'dead');
	return { ...story, intent: id };
}

test('money that does not fit its order stops the saga, and does so again when it is undone', async () => {
	const { saga, placed } = await misfit();
	for (const what of ['retry', 'compensate']) {
		const { outcome, saga: now } = await act(saga.id, what);
		assert.deepEqual([outcome, now.state, now.waits_for], ['dead', 'dead', 'operator']);
		assert.match(now.last_error, /does not fit/);
	}
	assert.equal((await sagaOf(placed.id)).stopped_in, 'compensating');
});

test('money that did not fit and was given back: both are in the books, the stock is back', async () => {
	const { saga, placed, goods, buyer, intent: paid } = await misfit();
	await refuseSkip('refund_does_not_fit', saga.id, 're_nobody');
	const made = await refundByHand(paid, { amount: 700 });
	assert.equal(made.amount, 700);
	const { outcome } = await act(saga.id, 'skip', { ...REASON, refundId: made.id });

	assert.equal(outcome, 'compensated');
	assert.equal((await order(buyer, placed.id)).status, 'cancelled');
	assert.deepEqual(await stockOf(goods.id), { received: 10, available: 10, reserved: 0, sold: 0 });
	assert.deepEqual(await rows`SELECT kind, amount, stripe_id FROM payments.ledger WHERE order_id = ${placed.id} ORDER BY id`,
	    [{ kind: 'capture', amount: 700, stripe_id: paid }, { kind: 'refund', amount: 700, stripe_id: made.id }]);
	const payment = await buyer.get(`/api/payments/order/${placed.id}`);
	assert.deepEqual([payment.status, payment.refunds.map(({ amount, status }) => [amount, status])], ['cancelled', [['7.00', 'succeeded']]]);
	await always();
});

test('money that did not fit and was given back in part stays where it is', async () => {
	const { saga, placed, intent: paid } = await misfit();
	const part = await refundByHand(paid, { amount: 300 });
	await refuseSkip('refund_does_not_fit', saga.id, part.id);
	assert.equal((await one`SELECT reservation FROM orders.item WHERE order_id = ${placed.id}`).reservation, 'held');
});

test('what has ended is not acted on', async () => {
	const { buyer, placed, saga } = await waiting();
	await pay(buyer, placed);
	for (const what of ['retry', 'compensate'])
		await refusal(409, 'saga_finished', saga.id, what);
	await refuseSkip('saga_finished', saga.id, 're_1');
	assert.deepEqual(await operatorEvents(saga.id), []);
	assert.deepEqual(await audits(`saga:${saga.id}`), []);
});

test('what is not there is 404', async () => {
	const boss = await operator();
	for (const id of ['999999999999', '0', '-1', 'x', '1.5', '99999999999999999999']) {
		await boss.refuse(404, 'not_found', 'GET', `${SAGAS}/${id}`);
		for (const what of ['retry', 'compensate'])
			await boss.refuse(404, 'not_found', 'POST', `${SAGAS}/${id}/${what}`, { json: REASON });
		await boss.refuse(404, 'not_found', 'POST', `${SAGAS}/${id}/skip`, { json: { ...REASON, refundId: 're_1' } });
	}
});

test('a reason is needed, of a bearable length', async () => {
	const { saga } = await waiting();
	const boss = await operator();
	for (const what of ['retry', 'compensate'])
		for (const json of [{}, { reason: '' }, { reason: null }, { reason: 5 }, { reason: 'x'.repeat(501) }])
			await boss.refuseFields(['reason'], 'POST', `${SAGAS}/${saga.id}/${what}`, { json });
	await boss.refuseFields(['reason', 'refundId'], 'POST', `${SAGAS}/${saga.id}/skip`, { json: { refundId: '' } });
});

test('nobody but admins sees or does any of it', async () => {
	const { buyer, saga } = await waiting();
	for (const who of [buyer, await customer(), await seller()]) {
		await who.refuse(403, 'forbidden', 'GET', SAGAS);
		await who.refuse(403, 'forbidden', 'GET', `${SAGAS}/${saga.id}`);
		for (const what of ['retry', 'compensate', 'skip'])
			await who.refuse(403, 'forbidden', 'POST', `${SAGAS}/${saga.id}/${what}`, { json: { ...REASON, refundId: 're_1' } });
	}
	assert.deepEqual(await operatorEvents(saga.id), []);
});

let anySaga;
test.before(async () => { anySaga = (await waiting()).saga.id; });
refusesBadTokens('GET', SAGAS, operator);
refusesBadTokens('GET', () => `${SAGAS}/${anySaga}`, operator);
for (const what of ['retry', 'compensate', 'skip']) {
	refusesBadTokens('POST', () => `${SAGAS}/${anySaga}/${what}`, operator, { json: REASON });
	refusesBadBodies('POST', () => `${SAGAS}/${anySaga}/${what}`, async () => (await operator()).token);
}
