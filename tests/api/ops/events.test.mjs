/*
 * What an operator sees of the outbox, and does to it.  The events are of types
 * and about subjects of our own, and the stack's relay has no sink.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { addEvent, audits, deadEvent, eventOf, EVENTS, operator, REASON, subjectOfOurs, typeOfOurs } from '../../lib/operator.mjs';
import { assertPagination, assertTimes, customer, lines, place, product, seller } from '../../lib/shop.mjs';
import { rows, run } from '../../lib/sql.mjs';

const list = async (query) => (await operator()).get(`${EVENTS}?${query}`);
const act = async (id, what) =>
	(await (await operator()).call('POST', `${EVENTS}/${id}/${what}`, { json: REASON, expect: 200 })).json;
const refusal = async (code, id, what) =>
	(await operator()).refuse(409, code, 'POST', `${EVENTS}/${id}/${what}`, { json: REASON });
const requeue = async (json) =>
	(await (await operator()).call('POST', `${EVENTS}/requeue`, { json: { ...json, ...REASON }, expect: 200 })).json;
/* As a relay takes it; the epoch that it has it by. */
async function claimed(id) {
	await run`UPDATE ops.event SET attempt = attempt + 1, epoch = epoch + 1, due_at = now() + interval '30 seconds' WHERE id = ${id}`;
	return (await eventOf(id)).epoch;
}
const due = async (subject) => (await rows`SELECT id FROM ops.event WHERE subject = ${subject} AND due_at IS NOT NULL`).map(({ id }) => id);

test('every filter filters, and the total is theirs', async () => {
	const [type, subject] = [typeOfOurs(), subjectOfOurs()];
	const [first, dead, elsewhere] = [await addEvent({ type, subject }), await deadEvent({ type }), await addEvent({ subject })];
	const dropped = await deadEvent({ type });
	await act(dropped, 'drop');
	const sent = await addEvent({ type });
	await run`SELECT ops.event_end(${sent}, 0, 'sent', NULL)`;
	const found = async (query) => {
		const { events, pagination } = await list(query);
		assertPagination(pagination);
		assert.equal(pagination.total, events.length);
		return events.map(({ id }) => id);
	};

	assert.deepEqual(await found(`type=${type}`), [sent, dropped, dead, first]);
	assert.deepEqual(await found(`type=${type}&state=waiting`), [first]);
	assert.deepEqual(await found(`type=${type}&state=dead`), [dead]);
	assert.deepEqual(await found(`type=${type}&state=sent`), [sent]);
	assert.deepEqual(await found(`type=${type}&state=dropped`), [dropped]);
	assert.deepEqual(await found(`subject=${subject}`), [elsewhere, first]);
	assert.deepEqual(await found(`type=${typeOfOurs()}`), []);
});

test('pages and cursors walk the same list', async () => {
	const type = typeOfOurs();
	const expected = [];
	for (let i = 0; i < 5; i++)
		expected.unshift(await deadEvent({ type }));
	const byPage = [];
	for (let page = 1; page <= 3; page++)
		byPage.push(...(await list(`type=${type}&state=dead&limit=2&page=${page}`)).events);
	const byCursor = [];
	for (let cursor = ''; cursor !== null;) {
		const { events, pagination } = await list(`type=${type}&limit=2${cursor && `&cursor=${cursor}`}`);
		byCursor.push(...events);
		cursor = pagination.next_cursor;
	}
	assert.deepEqual(byPage.map(({ id }) => id), expected);
	assert.deepEqual(byCursor.map(({ id }) => id), expected);
});

test('filters that are none are 400, all at once', async () => {
	await (await operator()).refuseFields(['state', 'type', 'subject', 'page'],
	    'GET', `${EVENTS}?state=late&type=${'x'.repeat(61)}&subject=${'x'.repeat(101)}&page=0`);
	await (await operator()).refuse(400, 'malformed_request', 'GET', `${EVENTS}?state=%zz`);
});

test('of an order, what was told of it', async () => {
	const placed = await place(await customer(), lines([(await product(await seller())).id, 1]));
	const { events: [told] } = await list(`subject=orders/${placed.id}`);
	const { event, data } = await (await operator()).get(`${EVENTS}/${told.id}`);

	assert.deepEqual([event.type, event.state, event.attempt, event.last_error], ['order.placed', 'waiting', 0, null]);
	assert.deepEqual(event, told);
	assert.match(event.event_id, /^[0-9a-f-]{36}$/);
	assertTimes(event, ['happened_at', 'sends_at'], ['ended_at']);
	assert.deepEqual([data.id, data.total_amount], [placed.id, placed.total_amount]);
});

test('a dead one is sent again, with all its tries before it', async () => {
	const type = typeOfOurs();
	const id = await deadEvent({ type });
	const { event_id: same } = (await (await operator()).get(`${EVENTS}/${id}`)).event;
	const event = await act(id, 'retry');
	const boss = await operator();

	assert.deepEqual([event.state, event.attempt, event.epoch, event.is_overdue, event.ended_at, event.event_id],
	    ['waiting', 0, 501, true, null, same]);
	assert.deepEqual(await audits(`event:${id}`), [{
		actor_id: boss.id, action: 'event.retry',
		before: { type, subject: event.subject, state: 'dead', attempt: 500 },
		after: { event: { type, subject: event.subject, state: 'waiting', attempt: 0 }, reason: REASON.reason },
	}]);
});

test('one that the sink would not take is tried now; whoever had it is fenced off', async () => {
	const id = await addEvent();
	const epoch = await claimed(id);
	assert.equal((await act(id, 'retry')).is_overdue, true);
	assert.deepEqual((await rows`SELECT ops.event_end(${id}, ${epoch}, 'sent', NULL) AS held`)[0].held, false);
	assert.equal((await eventOf(id)).state, 'waiting');
});

test('one that holds others up is dropped, and they go on', async () => {
	const subject = subjectOfOurs();
	const [first, second] = [await addEvent({ subject }), await addEvent({ subject })];
	const epoch = await claimed(first);
	for (const what of ['retry', 'drop'])
		await refusal('event_not_first', second, what);
	assert.deepEqual(await due(subject), [first]);

	const event = await act(first, 'drop');
	assert.deepEqual([event.state, event.sends_at, event.acts], ['dropped', null, []]);
	assertTimes(event, ['ended_at']);
	assert.deepEqual(await due(subject), [second]);
	assert.deepEqual((await rows`SELECT ops.event_end(${first}, ${epoch}, 'sent', NULL) AS held`)[0].held, false);
	for (const what of ['retry', 'drop'])
		await refusal('event_finished', first, what);
	assert.deepEqual((await audits(`event:${first}`)).map(({ action }) => action), ['event.drop']);
});

test('what was sent is done, what was dropped is forgotten in time, and what is dead is not', async () => {
	const [sent, dropped, dead] = [await addEvent(), await deadEvent(), await deadEvent()];
	await run`SELECT ops.event_end(${sent}, 0, 'sent', NULL)`;
	for (const what of ['retry', 'drop'])
		await refusal('event_finished', sent, what);
	await act(dropped, 'drop');
	await run`UPDATE ops.event SET at = now() - interval '400 days' WHERE id = ANY (ARRAY[${sent}, ${dropped}, ${dead}]::bigint[])`;
	await run`SELECT ops.event_purge(86400 * 365, false, 1000000)`;
	assert.deepEqual([await eventOf(sent), await eventOf(dropped)], [undefined, undefined]);
	assert.equal((await eventOf(dead)).state, 'dead');
});

test('all dead ones of a type are sent again, in order for each subject', async () => {
	const [type, subject] = [typeOfOurs(), subjectOfOurs()];
	const mine = [await deadEvent({ type, subject }), await deadEvent({ type, subject })];
	const behind = await addEvent({ subject });
	const [alone, other] = [await deadEvent({ type }), await deadEvent()];
	assert.deepEqual(await due(subject), [behind], 'nothing waits for the dead');

	assert.deepEqual(await requeue({ type }), { requeued: 3, more: false });
	for (const id of [...mine, behind]) {
		assert.deepEqual(await due(subject), [id]);
		await run`SELECT ops.event_end(id, epoch, 'sent', NULL) FROM ops.event WHERE id = ${id}`;
	}
	assert.deepEqual([(await eventOf(alone)).state, (await eventOf(other)).state], ['waiting', 'dead']);
	assert.deepEqual(await requeue({ type }), { requeued: 0, more: false });
	const acts = await rows`SELECT after FROM ops.audit WHERE action = 'events.requeue' AND after ->> 'type' = ${type} ORDER BY id`;
	assert.deepEqual(acts.map(({ after }) => after), [3, 0].map((requeued) => ({ type, requeued, ...REASON })));
});

test('two operators at once: one has it', async () => {
	for (let i = 0; i < 5; i++) {
		const id = await deadEvent();
		const answers = await Promise.all([1, 2, 3].map(async () =>
			(await operator()).call('POST', `${EVENTS}/${id}/drop`, { json: REASON })));
		assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409]);
		assert.equal((await audits(`event:${id}`)).length, 1);
	}
});

test('what is not there is 404', async () => {
	const boss = await operator();
	for (const id of ['999999999999', '0', '-1', 'x', '99999999999999999999']) {
		await boss.refuse(404, 'not_found', 'GET', `${EVENTS}/${id}`);
		for (const what of ['retry', 'drop'])
			await boss.refuse(404, 'not_found', 'POST', `${EVENTS}/${id}/${what}`, { json: REASON });
	}
});

test('a reason is needed', async () => {
	const id = await deadEvent();
	const boss = await operator();
	for (const json of [{}, { reason: '' }, { reason: ['x'] }, { reason: 'x'.repeat(501) }])
		for (const what of ['retry', 'drop'])
			await boss.refuseFields(['reason'], 'POST', `${EVENTS}/${id}/${what}`, { json });
	await boss.refuseFields(['reason', 'type', 'state'], 'POST', `${EVENTS}/requeue`, { json: { type: 'x'.repeat(61), state: 'dead' } });
	assert.equal((await eventOf(id)).state, 'dead');
});

test('nobody but admins sees or does any of it', async () => {
	const id = await deadEvent();
	for (const who of [await customer(), await seller()]) {
		await who.refuse(403, 'forbidden', 'GET', EVENTS);
		await who.refuse(403, 'forbidden', 'GET', `${EVENTS}/${id}`);
		for (const what of ['retry', 'drop'])
			await who.refuse(403, 'forbidden', 'POST', `${EVENTS}/${id}/${what}`, { json: REASON });
		await who.refuse(403, 'forbidden', 'POST', `${EVENTS}/requeue`, { json: REASON });
	}
	assert.equal((await eventOf(id)).state, 'dead');
});

let anyEvent;
test.before(async () => { anyEvent = await deadEvent(); });
refusesBadTokens('GET', EVENTS, operator);
refusesBadTokens('GET', () => `${EVENTS}/${anyEvent}`, operator);
for (const path of [() => `${EVENTS}/${anyEvent}/retry`, () => `${EVENTS}/${anyEvent}/drop`, () => `${EVENTS}/requeue`]) {
	refusesBadTokens('POST', path, operator, { json: REASON });
	refusesBadBodies('POST', path, async () => (await operator()).token);
}
