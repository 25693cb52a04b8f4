/*
 * An operator among drivers that are at work, die, or come from another
 * program: whoever is fenced changes nothing, and nothing is done twice.
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { exchange } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { clearFaults, fault } from '../lib/faults.mjs';
import { always, intentsOf, settled } from '../lib/invariants.mjs';
import { audits, operator, operatorEvents, REASON, refundByHand, sagaOf, SAGAS, stop, stuckRefund } from '../lib/operator.mjs';
import { newKey, order } from '../lib/shop.mjs';
import { confirm } from '../lib/simulator.mjs';
import { one, rows, run } from '../lib/sql.mjs';
import { crashAt } from '../lib/stack.mjs';
import { cron, Story } from '../lib/story.mjs';
import { until } from '../lib/wait.mjs';

afterEach(clearFaults);

const act = async (saga, what) => (await (await operator()).call('POST', `${SAGAS}/${saga}/${what}`,
    { json: REASON, expect: 200 })).json;
const held = (id) => until('a driver is at work', async () => {
	const saga = await sagaOf(id);
	return saga.owner !== null && saga;
});

test('a retry takes a saga from its driver: one intent, and the driver is fenced', async () => {
	const story = await Story.begin();
	await fault('delay', { method: 'POST', path: '/v1/payment_intents', ms: 2500 });
	const slow = story.ask();
	const id = await story.left();
	const before = await held(id);
	await clearFaults();
	/* Stripe may say that the first call is still on its way. */
	const { outcome, saga } = await act(before.id, 'retry');
	assert.ok(['waiting', 'retry'].includes(outcome), outcome);
	assert.ok(saga.epoch > before.epoch);

	const answer = await slow;
	assert.equal(answer.status, 201);
	await story.payable(id);
	assert.equal((await intentsOf(id)).length, 1);
	const done = await rows`SELECT seq, epoch FROM orders.saga_event WHERE saga_id = ${before.id} AND step = 'create_intent' AND what = 'done'`;
	const { seq: taken } = await one`SELECT seq FROM orders.saga_event WHERE saga_id = ${before.id} AND what = 'operator'`;
	assert.equal(done.length, 1);
	/* On a busy machine it may have been done before it was taken. */
	assert.ok(done[0].seq < taken || done[0].epoch >= saga.epoch, 'the slow one changed nothing');
	await story.pay(id);
	await story.until(id, 'paid');
	await settled([id]);
});

test('an order is undone while its driver makes the intent: that intent is found, and cancelled', async () => {
	const story = await Story.begin();
	await fault('delay', { method: 'POST', path: '/v1/payment_intents', ms: 2500 });
	const slow = story.ask({ quantity: 3 });
	const id = await story.left();
	const before = await held(id);
	await clearFaults();
	const { outcome } = await act(before.id, 'compensate');
	await slow;

	if (outcome !== 'compensated')
		await story.until(id, 'cancelled');
	await until('no intent can be paid', async () =>
		(await intentsOf(id)).every(({ status }) => status === 'canceled'));
	await settled([id]);
	assert.deepEqual(await story.stock(), { received: 10, available: 10, reserved: 0, sold: 0 });
});

test('operators and sweepers at once: undone once', async () => {
	const story = await Story.begin();
	const placed = await story.place({ quantity: 2 });
	const { id } = await sagaOf(placed.id);
	const boss = await operator();
	await story.expire();
	const answers = await Promise.all([...Array.from({ length: 6 }, (_, i) =>
		boss.call('POST', `${SAGAS}/${id}/${i % 2 ? 'retry' : 'compensate'}`, { json: REASON })),
	cron('reservations-expire'), cron('saga-recover')]);
	for (const { status } of answers)
		assert.ok([200, 409].includes(status));
	await story.until(placed.id, 'cancelled');
	await settled([placed.id]);
	const events = await operatorEvents(id);
	assert.equal(events.length, answers.slice(0, 6).filter(({ status }) => status === 200).length);
	assert.equal((await audits(`saga:${id}`)).length, events.length);
	const undone = await rows`SELECT * FROM orders.saga_event WHERE saga_id = ${id} AND what = 'compensated' AND step = 'reserve_stock'`;
	assert.equal(undone.length, 1);
});

test('the buyer pays while an operator undoes: whoever is first decides, and no money is kept', async () => {
	for (let i = 0; i < 6; i++) {
		const story = await Story.begin();
		const placed = await story.place();
		const { id } = await sagaOf(placed.id);
		const [, { status }] = await Promise.all([confirm(placed.payment.paymentIntentId, 'pm_card_visa', null),
		    (await operator()).call('POST', `${SAGAS}/${id}/compensate`, { json: REASON })]);
		assert.ok([200, 409].includes(status));
		await story.until(placed.id, status === 200 ? 'cancelled' : 'paid');
		await settled([placed.id]);
	}
});

test('the buyer had paid, no webhook came: undoing finds that, and gives it back', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	await fault('webhook_drop');
	await confirm(placed.payment.paymentIntentId);
	const { id } = await sagaOf(placed.id);
	assert.equal((await act(id, 'compensate')).outcome, 'refunding');
	assert.equal((await order(story.buyer, placed.id)).status, 'cancelled');
	await settled([placed.id]);
	const last = (await story.buyer.get(`/api/orders/${placed.id}/history`)).at(-1);
	assert.deepEqual([last.changed_by, last.notes], [(await operator()).id, 'Cancelled by the shop']);
});

test('a refund made by hand that Stripe has not told of is taken for the saga\'s own', async () => {
	await fault('webhook_drop');
	const { saga, intent: paid } = await stuckRefund();
	const made = await refundByHand(paid);
	const { json } = await (await operator()).call('POST', `${SAGAS}/${saga.id}/skip`,
	    { json: { ...REASON, refundId: made.id }, expect: 200 });
	assert.deepEqual([json.outcome, json.saga.state], ['refund_succeeded', 'done']);
	assert.deepEqual(await rows`SELECT status, stripe_refund_id FROM payments.refund WHERE order_id = ${saga.order_id}`,
	    [{ status: 'succeeded', stripe_refund_id: made.id }]);
	await always();
});

test('Stripe is away: the retry says so, and the saga goes on by itself', async () => {
	const story = await Story.begin();
	const placed = await story.place();
	const { id } = await sagaOf(placed.id);
	await stop(id);
	await fault('error_before');
	const { outcome, saga } = await act(id, 'retry');
	assert.deepEqual([outcome, saga.state, saga.waits_for], ['retry', 'waiting', saga.is_overdue ? 'recovery' : 'payment']);
	assert.notEqual(saga.last_error, null);
	await clearFaults();
	await story.pay(placed.id);
	await story.until(placed.id, 'paid');
	await settled([placed.id]);
});

test('Stripe is away: no step is skipped on an operator\'s word', async () => {
	const { saga } = await stuckRefund();
	await fault('error_before');
	const refused = await (await operator()).refuse(503, 'payments_unavailable', 'POST', `${SAGAS}/${saga.id}/skip`,
	    { json: { ...REASON, refundId: 're_1' } });
	assert.match(refused.headers['retry-after'], /^\d+$/);
	assert.deepEqual(await operatorEvents(saga.id), []);
});

for (const what of ['retry', 'compensate'])
	test(`the operator's own process dies with what it has taken (${what}): others carry on`, async () => {
		const story = await Story.begin();
		const placed = await story.place({ quantity: 2 });
		const { id } = await sagaOf(placed.id);
		await stop(id);
		const boss = await operator();
		const key = newKey();
		const died = crashAt('operator_after_commit');
		await exchange(need('SOUK_URL'), 'POST', `${SAGAS}/${id}/${what}`, { body: JSON.stringify(REASON), address: boss.address,
		    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${boss.token}`, 'Idempotency-Key': key } });
		await died();
		await always();

		/* Asked again, it is not done again. */
		await run`UPDATE ops.idempotency SET created_at = now() - interval '1 minute' WHERE key = ${key}`;
		await boss.call('POST', `${SAGAS}/${id}/${what}`, { json: REASON, key, expect: 200 });
		assert.equal((await operatorEvents(id)).length, 1);
		if (what === 'retry')
			await story.pay(placed.id);
		await story.until(placed.id, what === 'retry' ? 'paid' : 'cancelled');
		await settled([placed.id]);
	});

for (const [name, column, value] of [['a version', 'version', 99], ['a step', 'step', 'wrap_gift']])
	test(`${name} that no program here knows is not taken, and goes on when one does`, async () => {
		const story = await Story.begin();
		const placed = await story.place();
		const before = await one`SELECT version, step FROM orders.saga WHERE order_id = ${placed.id}`;
		const set = (to) => column === 'step' ? run`UPDATE orders.saga SET step = ${to} WHERE order_id = ${placed.id}`
			: run`UPDATE orders.saga SET version = ${to} WHERE order_id = ${placed.id}`;
		await set(value);
		await story.expire();
		const late = await sagaOf(placed.id);
		for (const sweeper of ['saga-recover', 'reservations-expire'])
			assert.ok(!(await cron(sweeper)).json.sagas.some(({ id }) => id === late.id));
		const left = await sagaOf(placed.id);
		assert.deepEqual([left.epoch, left.attempt, left.owner, left.wake_at], [late.epoch, late.attempt, null, late.wake_at]);

		/* An operator who insists is told, and does no harm. */
		const { outcome, saga } = await act(left.id, 'retry');
		assert.deepEqual([outcome, saga.owner, saga.attempt], ['unknown', null, 0]);
		assert.match(saga.last_error, /does not know/);
		assert.ok(Date.parse(saga.wakes_at) > Date.now(), 'and nobody spins on it');
		await always();

		await set(before[column]);
		await story.until(placed.id, 'cancelled');
		await settled([placed.id]);
	});

test('what has not ended is counted for the metrics', async () => {
	const story = await Story.begin();
	const [a, b] = [await story.place(), await story.place()];
	const samples = async () => {
		await cron('backlog-measure');
		const answer = await exchange(need('SOUK_URL'), 'GET', '/metrics', {});
		return Object.fromEntries(answer.bytes.toString().split('\n').filter((line) => line && !line.startsWith('#'))
		    .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
	};
	const at = (state, step) => `sagas_live{kind="order",state="${state}",step="${step}"}`;
	const of = async (where) => (await one`SELECT count(*) AS n FROM orders.saga WHERE ${{ sql: where }}`).n;
	let now;
	await until('what waits is counted', async () => {
		const before = await of("kind = 'order' AND state = 'waiting'");
		now = await samples();
		assert.equal(now[at('waiting', 'await_payment')], before);
		return before >= 2;
	});
	assert.ok(Math.abs(now.backlog_measured_timestamp_seconds - Date.now() / 1000) < 60);
	for (const name of ['saga_step_duration_seconds_count{kind="order",state="running",step="create_intent"}',
	    'saga_step_duration_seconds_count{kind="order",state="compensating",step="create_intent"}',
	    'saga_step_duration_seconds_count{kind="refund",state="waiting",step="await_refund"}'])
		assert.ok(now[name] >= 0, name);

	await stop((await sagaOf(a.id)).id);
	await run`UPDATE orders.saga SET version = 99, step = 'wrap_gift', wake_at = now() - interval '1 hour' WHERE order_id = ${b.id}`;
	now = await samples();
	assert.equal(now['sagas_stopped{state="dead"}'], await of("state = 'dead'"));
	assert.equal(now['sagas_live{kind="other",state="other",step="other"}'], 1);
	assert.ok(now.saga_oldest_overdue_seconds >= 3600, now.saga_oldest_overdue_seconds);

	await run`INSERT INTO ops.job (kind, state, finished_at) VALUES ('test-dead', 'dead', now())`;
	await run`INSERT INTO ops.job (kind, state, finished_at) VALUES ('mail', 'dead', now())`;
	now = await samples();
	assert.equal(now['jobs_open{kind="other",state="dead"}'], (await one`SELECT count(*) AS n FROM ops.job WHERE kind <> 'mail' AND state = 'dead'`).n);
	assert.equal(now['jobs_open{kind="mail",state="dead"}'], (await one`SELECT count(*) AS n FROM ops.job WHERE kind = 'mail' AND state = 'dead'`).n);
	assert.ok(now['jobs_open{kind="mail",state="dead"}'] >= 1 && now['jobs_open{kind="other",state="dead"}'] >= 1);
	await run`DELETE FROM ops.job WHERE state = 'dead'`;

	await run`UPDATE orders.saga SET version = 1, step = 'await_payment', wake_at = now() WHERE order_id = ${b.id}`;
	await act((await sagaOf(a.id)).id, 'compensate');
	await story.expire();
	await story.until(b.id, 'cancelled');
	await settled([a.id, b.id]);
});
