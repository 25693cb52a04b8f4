/*
 * The relay: CloudEvents as the HTTP binding has them, in order for each
 * subject, at least once, and nobody held up by what concerns others.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { execute } from '../lib/execute.mjs';
import { addEvents, hurry, relay, relayProcess, told, trial } from '../lib/sink.mjs';
import { EVENTS, operator, REASON } from '../lib/operator.mjs';
import { unique } from '../lib/shop.mjs';
import { one, rows, run, value } from '../lib/sql.mjs';

const stateOf = (subject) => rows`SELECT state, attempt, due_at IS NOT NULL AS due, last_error FROM ops.event
                                   WHERE subject = ${subject} ORDER BY id`;

trial('an event is posted in binary mode', async (sink) => {
	await addEvents('orders/1', 'x');
	const answer = await relay(sink);
	assert.deepEqual(answer, { sink: true, sent: 1, retried: 0, dead: 0, lost: 0, waiting: 0, oldest_ms: 0 });
	const [event] = sink.taken;
	const row = await one`SELECT uuid, id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at FROM ops.event`;
	assert.equal(event.method, 'POST');
	assert.equal(event.path, '/events?to=broker');
	assert.equal(event.headers['content-type'], 'application/json');
	assert.deepEqual(Object.keys(event.headers).filter((header) => header.startsWith('ce-')).sort(),
	    ['ce-id', 'ce-partitionkey', 'ce-sequence', 'ce-source', 'ce-specversion', 'ce-subject', 'ce-time', 'ce-type']);
	assert.equal(event.specversion, '1.0');
	assert.equal(event.id, row.uuid);
	assert.equal(event.source, '/souk');
	assert.equal(event.type, 'example.souk.test.happened');
	assert.equal(event.subject, 'orders/1');
	assert.equal(event.partitionkey, 'orders/1');
	assert.equal(event.time, row.at);
	assert.equal(event.sequence, String(row.id).padStart(19, '0'));
	assert.deepEqual(event.data, { n: 'x' });
});

trial('attributes are percent-encoded, and source, prefix and extensions as set', async (sink) => {
	await addEvents('Euro \u20ac \u{1f600} "100%"', 'x');
	await relay(sink, { EVENT_SOURCE: 'https://shop.example/a b', EVENT_TYPE_PREFIX: 'com.example.',
		K_CE_OVERRIDES: JSON.stringify({ extensions: { region: 'Rīga "1"', tier: 'gold' } }) });
	const [event] = sink.taken;
	assert.equal(event.headers['ce-subject'], 'Euro%20%E2%82%AC%20%F0%9F%98%80%20%22100%25%22');
	assert.equal(event.headers['ce-source'], 'https://shop.example/a%20b');
	assert.equal(event.type, 'com.example.test.happened');
	assert.equal(event.headers['ce-region'], 'R%C4%ABga%20%221%22');
	assert.equal(event.tier, 'gold');
	for (const text of event.raw)
		assert.match(text, /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/);
});

test('settings that are no good stop the process and are named', async () => {
	for (const env of [{ K_SINK: 'ftp://x' }, { K_SINK: 'x' }, { K_CE_OVERRIDES: '[' }, { K_CE_OVERRIDES: '[]' },
	    { K_CE_OVERRIDES: '{"extensions": {"Bad-Name": "x"}}' }, { K_CE_OVERRIDES: '{"extensions": {"n": 1}}' }]) {
		const { code } = await relayProcess(null, env);
		assert.equal(code, 78, JSON.stringify(env));
	}
});

trial('of one subject they arrive in order, however many runs share the work', async (sink) => {
	const subjects = Array.from({ length: 12 }, (_, i) => `orders/${i}`);
	const names = Array.from({ length: 10 }, (_, i) => String(i));
	for (const n of names)
		for (const subject of subjects)
			await addEvents(subject, n);
	/* Slow and of different speeds, so that whoever overtakes would be seen. */
	sink.answer = async () => {
		await new Promise((done) => setTimeout(done, Math.random() * 10));
		return 200;
	};
	const answers = await Promise.all([1, 2, 3, 4].map(() => relay(sink)));
	await relay(sink);
	for (const subject of subjects)
		assert.deepEqual(told(sink, subject), names);
	assert.equal(answers.reduce((sum, { sent }) => sum + sent, 0), subjects.length * names.length);
	assert.equal(await value`SELECT count(*) FROM ops.event WHERE state <> 'sent'`, 0);
});

trial('one that is not taken holds back its own subject, and no other', async (sink) => {
	await addEvents('orders/1', 'a', 'b', 'c');
	await addEvents('orders/2', 'a', 'b', 'c');
	sink.answer = ({ subject }) => subject === 'orders/1' ? 503 : 202;
	const answer = await relay(sink);
	assert.deepEqual([answer.sent, answer.retried, answer.waiting], [3, 1, 3]);
	assert.deepEqual(told(sink, 'orders/2'), ['a', 'b', 'c']);
	assert.deepEqual(sink.tries.filter(({ subject }) => subject === 'orders/1').map(({ data }) => data.n), ['a']);
	assert.deepEqual((await stateOf('orders/1')).map(({ state, attempt, due }) => [state, attempt, due]),
	    [['waiting', 1, true], ['waiting', 0, false], ['waiting', 0, false]]);

	sink.answer = () => 202;
	await hurry();
	await relay(sink);
	assert.deepEqual(told(sink, 'orders/1'), ['a', 'b', 'c']);
});

trial('what is added while one is held back waits behind it', async (sink) => {
	await addEvents('orders/1', 'a');
	sink.answer = () => null;
	await relay(sink);
	await addEvents('orders/1', 'b');
	sink.answer = () => 202;
	assert.equal((await relay(sink)).sent, 0);
	await hurry();
	assert.equal((await relay(sink)).sent, 2);
	assert.deepEqual(told(sink, 'orders/1'), ['a', 'b']);
});

trial('every answer of the data plane has its effect', async (sink) => {
	const wanted = { 200: 'sent', 202: 'sent', 204: 'sent', 301: 'waiting', 400: 'dead', 401: 'waiting', 403: 'waiting',
		404: 'waiting', 408: 'waiting', 409: 'waiting', 410: 'dead', 413: 'dead', 415: 'dead', 429: 'waiting', 500: 'waiting',
		503: 'waiting' };
	for (const status of Object.keys(wanted))
		await addEvents(status, 'x');
	sink.answer = ({ subject }) => Number(subject);
	await relay(sink);
	for (const [status, state] of Object.entries(wanted)) {
		const [found] = await stateOf(status);
		assert.equal(found.state, state, status);
		assert.equal(found.last_error, state === 'sent' ? null : `the sink answers ${status}`);
	}
});

trial('a sink that is away costs few tries, and nothing is lost', async (sink) => {
	const subjects = Array.from({ length: 40 }, (_, i) => `orders/${i}`);
	for (const subject of subjects)
		await addEvents(subject, 'x');
	sink.answer = () => null;
	const answer = await relay(sink);
	assert.deepEqual([answer.sent, answer.retried, answer.waiting], [0, 16, 40]);
	assert.ok(answer.oldest_ms > 0);
	sink.answer = () => 202;
	await hurry();
	assert.equal((await relay(sink)).sent, 40);
	assert.deepEqual(sink.taken.map(({ subject }) => subject).sort(), [...subjects].sort());
});

trial('an event sent too often in vain is dead, its followers are not; an operator has it sent again', async (sink) => {
	await addEvents('orders/1', 'a', 'b');
	sink.answer = ({ data }) => data.n === 'a' ? 500 : 202;
	for (let i = 1; i <= 3; i++) {
		await hurry();
		const { retried, dead } = await relay(sink, { EVENT_ATTEMPTS: '3' });
		assert.deepEqual([retried, dead], i < 3 ? [1, 0] : [0, 1]);
	}
	await relay(sink);
	assert.deepEqual(told(sink, 'orders/1'), ['b']);
	const [{ id, state, last_error }] = await rows`SELECT * FROM ops.event WHERE subject = 'orders/1' ORDER BY id`;
	assert.deepEqual([state, last_error], ['dead', 'the sink answers 500']);

	sink.answer = () => 202;
	await (await operator()).call('POST', `${EVENTS}/${id}/retry`, { json: REASON, expect: 200 });
	await relay(sink);
	assert.deepEqual(told(sink, 'orders/1'), ['b', 'a']);
});

trial('who has lost the lease changes nothing', async (sink) => {
	await addEvents('orders/1', 'a', 'b');
	const claim = () => one`SELECT * FROM ops.event_claim(1, 60)`;
	const first = await claim();
	assert.equal(await claim(), undefined, 'the second waits its turn');
	await hurry();
	const second = await claim();
	assert.equal(second.id, first.id);
	assert.equal(await value`SELECT ops.event_end(${first.id}, ${first.epoch}, 'sent', NULL)`, false);
	assert.equal(await value`SELECT ops.event_retry(${first.id}, ${first.epoch}, 0, 'late')`, false);
	assert.equal(await value`SELECT ops.event_end(${second.id}, ${second.epoch}, 'sent', NULL)`, true);
	assert.equal((await relay(sink)).sent, 1);
});

trial('who writes while the one before is being reported is not forgotten', async (sink) => {
	/* The writer has not committed when the relay says that the first is sent. */
	await addEvents('orders/1', 'a');
	const { id, epoch } = await one`SELECT * FROM ops.event_claim(1, 60)`;
	await run`BEGIN; SELECT ops.event_add('test.happened', 'orders/1', '{"n": "b"}')`;
	const reported = new Promise((done, failed) => {
		execFile('psql', ['-XqAt', need('ADMIN_DATABASE_URL'), '-c',
		    `SELECT ops.event_end(${id}, ${epoch}, 'sent', NULL)`], (error, out) => error ? failed(error) : done(out.trim()));
	});
	await run`SELECT pg_sleep(0.2)`;
	await run`COMMIT`;
	assert.equal(await reported, 't');
	assert.equal((await relay(sink)).sent, 1);
	assert.deepEqual(told(sink, 'orders/1'), ['b']);
});

trial('without a sink nothing is sent, and what is old is forgotten', async () => {
	await addEvents('orders/1', 'old', 'young');
	await run`UPDATE ops.event SET at = at - interval '7 days 1 minute' WHERE data ->> 'n' = 'old'`;
	assert.deepEqual(await relay(null), { sink: false, sent: 0, retried: 0, dead: 0, lost: 0, waiting: null, oldest_ms: null });
	const { json } = await call('POST', '/internal/cron/history-purge', { token: need('SERVICE_TOKEN'), expect: 200 });
	assert.ok(json.events >= 0);
	assert.deepEqual(await rows`SELECT data ->> 'n' AS n FROM ops.event`, [{ n: 'young' }]);
});

trial('with a sink what waits or is dead stays, and what was sent is kept for a week', async (sink) => {
	for (const n of ['sent', 'fresh', 'dead', 'waiting'])
		await addEvents(n, n);
	sink.answer = ({ subject }) => ({ sent: 202, fresh: 202, dead: 400, waiting: 503 })[subject];
	await relay(sink);
	await run`UPDATE ops.event SET at = at - interval '7 days 1 minute' WHERE subject <> 'fresh'`;
	const { code, stdout } = await execute('cron-history_purge', ['--once', 'POST', '/internal/cron/history-purge'], { env: { K_SINK: sink.url } });
	assert.equal(code, 0, stdout);
	assert.equal(JSON.parse(stdout).events, 1);
	assert.deepEqual((await rows`SELECT subject FROM ops.event ORDER BY id`).map(({ subject }) => subject), ['fresh', 'dead', 'waiting']);
});

trial('an outbox of many is drained', async (sink) => {
	const mark = unique();
	await run`SELECT ops.event_add('test.happened', ${mark} || '/' || n % 500, json_build_object('n', n))
	            FROM generate_series(1, 2000) n`;
	let sent = 0;
	for (let i = 0; i < 20 && sent < 2000; i++)
		sent += (await relay(sink)).sent;
	assert.equal(sent, 2000);
	const seen = new Map();
	for (const { subject, data } of sink.taken) {
		assert.ok((seen.get(subject) ?? 0) < data.n, `${subject}: ${data.n} after ${seen.get(subject)}`);
		seen.set(subject, data.n);
	}
	assert.equal(new Set(sink.taken.map(({ id }) => id)).size, 2000);
});
