/*
 * The job table, by its functions: kinds that nothing runs, so that the test
 * is the only one at work on them.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { call, refuse } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';
import { runJobs } from '../../lib/mail.mjs';
import { admin, unique } from '../../lib/shop.mjs';
import { one, raw, rows, run, value } from '../../lib/sql.mjs';
import { until } from '../../lib/wait.mjs';

const cron = (name, options) => call('POST', `/internal/cron/${name}`,
    { token: need('SERVICE_TOKEN'), expect: 200, timeout: 60000, ...options });
const kindOfOurs = () => `test-${unique()}`;
const add = (kind, { dedupe = null, delay = 0, priority = 0, payload = '{"n": 1}' } = {}) =>
	value`SELECT ops.job_add(${kind}, ${payload}, ${dedupe}, ${delay}, ${priority})`;
const claim = (kind, limit = 100, most = null) =>
	rows`SELECT * FROM ops.job_claim(ARRAY[${kind}], ARRAY[${most}]::integer[], ${limit}, 'a test', 60)`;
/* The same by a connection of its own. */
const claimApart = (kind, most) => new Promise((done, failed) => {
	execFile('psql', ['-XqAt', need('ADMIN_DATABASE_URL'), '-c',
	    `SELECT json_agg(c) FROM ops.job_claim(ARRAY['${kind}'], ARRAY[${most}], 8, 'a test', 60) c`],
	    (error, out) => error ? failed(error) : done(JSON.parse(out.trim() || '[]')));
});
const job = (id) => one`SELECT * FROM ops.job WHERE id = ${id}`;
const lapse = (id) => run`UPDATE ops.job SET run_at = now() WHERE id = ${id}`;

test('a job is taken once, with its payload', async () => {
	const kind = kindOfOurs();
	const id = await add(kind, { payload: '{"to": "do"}' });
	const [taken, ...others] = await claim(kind);

	assert.equal(others.length, 0);
	assert.equal(taken.id, id);
	assert.deepEqual(taken.payload, { to: 'do' });
	assert.equal(taken.attempt, 1);
	assert.ok(taken.late_us >= 0);
	assert.equal((await job(id)).state, 'running');
	assert.deepEqual(await claim(kind), []);
});

test('a job of a transaction that rolls back never was', async () => {
	const kind = kindOfOurs();
	await run`BEGIN; SELECT ops.job_add(${kind}, '{}'); ROLLBACK`;
	assert.deepEqual(await claim(kind), []);
});

test('a dedupe key is one job, also when it is done', async () => {
	const kind = kindOfOurs();
	const id = await add(kind, { dedupe: 'k' });

	assert.equal(await add(kind, { dedupe: 'k' }), id);
	assert.notEqual(await add(kindOfOurs(), { dedupe: 'k' }), id);
	const [taken] = await claim(kind);
	assert.equal(await value`SELECT ops.job_done(${id}, ${taken.epoch})`, true);
	assert.equal(await add(kind, { dedupe: 'k' }), id);
	assert.deepEqual(await claim(kind), []);
});

test('a delayed job is not due before its time', async () => {
	const kind = kindOfOurs();
	const id = await add(kind, { delay: 3600 });

	assert.deepEqual(await claim(kind), []);
	await lapse(id);
	assert.equal((await claim(kind))[0].id, id);
});

test('the highest priority goes first, then who has waited longest', async () => {
	const kind = kindOfOurs();
	const ids = {};
	for (const priority of [0, -2, 2, 1, -1, 0])
		(ids[priority] ??= []).push(await add(kind, { priority }));
	const expected = [2, 1, 0, -1, -2].flatMap((priority) => ids[priority]);

	assert.deepEqual((await claim(kind, 4)).map(({ id }) => id), expected.slice(0, 4));
	assert.deepEqual((await claim(kind, 4)).map(({ id }) => id), expected.slice(4));
});

test('of a kind no more run at once than it says, whoever claims', async () => {
	const kind = kindOfOurs();
	for (let i = 0; i < 8; i++)
		await add(kind);
	/* Each a transaction of its own, at the same time. */
	const taken = (await Promise.all(Array.from({ length: 6 }, () => claimApart(kind, 3)))).flat();
	assert.equal(taken.length, 3);
	assert.deepEqual(await claim(kind, 100, 3), []);

	/* One more for each that ends, or whose process is as good as dead. */
	await run`SELECT ops.job_done(${taken[0].id}, ${taken[0].epoch})`;
	assert.equal((await claim(kind, 100, 3)).length, 1);
	await lapse(taken[1].id);
	assert.equal((await claim(kind, 100, 3)).length, 1);
	assert.deepEqual(await claim(kind, 100, 3), []);
	/* Other kinds do not wait for it. */
	const other = kindOfOurs();
	const id = await add(other, { priority: -2 });
	const [first] = await rows`SELECT id FROM ops.job_claim(ARRAY[${kind}, ${other}], ARRAY[3, 1], 5, 'a test', 60)`;
	assert.equal(first.id, id);
});

test('the end of a job and the claim of the next are one, in its own place', async () => {
	const kind = kindOfOurs();
	const endAndNext = ({ id, epoch }) => one`SELECT * FROM ops.job_done_and_next(${id}, ${epoch},
		ARRAY[${kind}], ARRAY[1], 'a test', 60)`;
	const ids = [await add(kind), await add(kind), await add(kind)];
	const [first] = await claim(kind, 1, 1);

	const second = await endAndNext(first);
	assert.deepEqual([first.id, second.held, second.id], [ids[0], true, ids[1]]);
	assert.equal((await job(ids[0])).state, 'done');
	/* What is held no more ends nothing, and its place is not free. */
	assert.deepEqual(await endAndNext(first), { held: false, id: null, kind: null, payload: null,
		epoch: null, attempt: null, created_at: null, late_us: null, traceparent: null });
	const third = await endAndNext(second);
	assert.equal(third.id, ids[2]);
	assert.equal((await endAndNext(third)).id, null);
	assert.equal((await job(ids[2])).state, 'done');
});

test('a limit leaves the order of priorities', async () => {
	const kind = kindOfOurs();
	const low = await add(kind, { priority: -1 });
	const high = await add(kind, { priority: 1 });
	assert.deepEqual((await claim(kind, 5, 1)).map(({ id }) => id), [high]);
	await run`UPDATE ops.job SET state = 'done', run_at = NULL, finished_at = now(), payload = NULL WHERE id = ${high}`;
	assert.deepEqual((await claim(kind, 5, 1)).map(({ id }) => id), [low]);
});

test('a priority that is none is refused', async () => {
	await assert.rejects(() => add(kindOfOurs(), { priority: 3 }), /priority/);
});

test('who has lost the lease changes nothing', async () => {
	const kind = kindOfOurs();
	const id = await add(kind);
	const [first] = await claim(kind);
	await lapse(id);
	const [second] = await claim(kind);

	assert.ok(second.epoch > first.epoch);
	for (const late of ['job_done(%, %)', 'job_dead(%, %, \'late\')', 'job_retry(%, %, 0, \'late\')']) {
		const text = late.replace('%', id).replace('%', first.epoch);
		assert.equal(await value`SELECT ops.${raw(text)}`, false, text);
	}
	assert.equal((await job(id)).state, 'running');
	assert.equal((await job(id)).epoch, second.epoch);
	assert.equal(await value`SELECT ops.job_done(${id}, ${second.epoch})`, true);
	assert.equal(await value`SELECT ops.job_done(${id}, ${second.epoch})`, false, 'it is done');
});

test('a job tried again keeps its payload, one that is done loses it, a dead one stays', async () => {
	const kind = kindOfOurs();
	const id = await add(kind);
	let [taken] = await claim(kind);
	await run`SELECT ops.job_retry(${id}, ${taken.epoch}, 0, 'not now')`;
	let found = await job(id);
	assert.deepEqual([found.state, found.payload, found.last_error], ['waiting', { n: 1 }, 'not now']);

	[taken] = await claim(kind);
	assert.equal(taken.attempt, 2);
	await run`SELECT ops.job_done(${id}, ${taken.epoch})`;
	found = await job(id);
	assert.deepEqual([found.state, found.payload, found.run_at], ['done', null, null]);

	const other = await add(kind);
	[taken] = await claim(kind);
	await run`SELECT ops.job_dead(${other}, ${taken.epoch}, 'never')`;
	found = await job(other);
	assert.deepEqual([found.state, found.payload, found.last_error, found.run_at], ['dead', { n: 1 }, 'never', null]);
	assert.deepEqual(await claim(kind), []);
});

test('what is done is forgotten after a week, what is dead is not', async () => {
	const kind = kindOfOurs();
	const ids = [];
	for (const end of ['done', 'done', 'dead']) {
		const id = await add(kind, { dedupe: `${end}-${ids.length}` });
		const [{ epoch }] = await claim(kind);
		await (end === 'done' ? run`SELECT ops.job_done(${id}, ${epoch})` : run`SELECT ops.job_dead(${id}, ${epoch}, 'x')`);
		ids.push(id);
	}
	await run`UPDATE ops.job SET finished_at = now() - interval '7 days 1 minute' WHERE id IN (${ids[0]}, ${ids[2]})`;

	const { json } = await cron('history-purge');
	assert.deepEqual(Object.keys(json).sort(), ['events', 'jobs', 'more', 'webhooks']);
	assert.equal(json.more, false);
	await until('it is forgotten', async () => await job(ids[0]) === undefined);
	assert.ok(await job(ids[1]));
	assert.ok(await job(ids[2]));
	assert.notEqual(await add(kind, { dedupe: 'done-0' }), ids[0]);
});

test('a purge is in batches, and passes by what others hold', async () => {
	const kind = kindOfOurs();
	await run`INSERT INTO ops.job (kind, state, run_at, finished_at)
	          SELECT ${kind}, 'done', NULL, now() - interval '8 days' FROM generate_series(1, 2500)`;
	const counts = await Promise.all([cron('history-purge'), cron('history-purge'), cron('history-purge')]);
	assert.ok(counts.every(({ json }) => Number.isSafeInteger(json.jobs)));
	assert.equal(await value`SELECT count(*) FROM ops.job WHERE kind = ${kind}`, 0);
});

test('a run says what it did', async () => {
	const { json } = await runJobs();
	assert.deepEqual(Object.keys(json).sort(), ['dead', 'done', 'jobs', 'lost', 'oldest_due_ms', 'retried']);
	assert.equal(json.done + json.retried + json.dead + json.lost, json.jobs.length);
});

test('a mail there is no template for is tried again, and says why', async () => {
	const id = await add('mail', { payload: '{"template": "no_such_mail"}' });
	const found = await until('it was tried', async () => {
		await runJobs();
		const it = await job(id);
		return it.attempt > 0 && it.state === 'waiting' && it;
	});
	assert.match(found.last_error, /function mail\.no_such_mail\(jsonb\) does not exist/);

	/* Not for ever. */
	await run`UPDATE ops.job SET attempt = 99, run_at = now() WHERE id = ${id}`;
	await until('it is given up', async () => (await runJobs()) && (await job(id)).state === 'dead');
	assert.deepEqual((await job(id)).payload, { template: 'no_such_mail' });
});

test('a mail named like anything else runs nothing', async () => {
	for (const template of ['../../etc/passwd', 'verify_email(jsonb); DROP TABLE ops.job; --', '', null, 'VERIFY_EMAIL']) {
		const id = await add('mail', { payload: JSON.stringify({ template }) });
		const found = await until('it was tried', async () => {
			await runJobs();
			const it = await job(id);
			return it.state === 'waiting' && it.attempt > 0 && it;
		});
		assert.ok(found.last_error, template);
		await run`DELETE FROM ops.job WHERE id = ${id}`;
	}
});

test('a job whose runners all died is given up, not tried for ever', async () => {
	const id = await add('mail', { payload: '{"template": "verify_email", "user": 1}', delay: 3600 });
	await run`UPDATE ops.job SET attempt = 100, run_at = now() WHERE id = ${id}`;
	await until('it is given up', async () => (await runJobs()) && (await job(id)).state === 'dead');
});

test('without the service token nobody gets in, an admin neither', async () => {
	const boss = await admin();
	for (const name of ['jobs-run', 'history-purge'])
		for (const token of [undefined, boss.token, `${need('SERVICE_TOKEN')}x`, 'x'])
			await refuse(401, 'unauthenticated', 'POST', `/internal/cron/${name}`, { token });
});

test('several runs at once are as good as one', async () => {
	for (const name of ['jobs-run', 'history-purge'])
		await Promise.all(Array.from({ length: 6 }, () => cron(name)));
});
