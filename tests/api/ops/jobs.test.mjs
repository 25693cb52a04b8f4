/*
 * What an operator sees of jobs, and does to them.  The jobs are of kinds that
 * nothing runs.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { call } from '../../lib/client.mjs';
import { need } from '../../lib/env.mjs';
import { addJob, audits, deadJob, jobOf, JOBS, killJob, kindOfOurs, operator, REASON } from '../../lib/operator.mjs';
import { assertPagination, assertTimes, customer, seller } from '../../lib/shop.mjs';
import { rows, run, value } from '../../lib/sql.mjs';

const list = async (query) => (await operator()).get(`${JOBS}?${query}`);
const act = async (id, what, options = {}) =>
	(await (await operator()).call('POST', `${JOBS}/${id}/${what}`, { json: REASON, expect: 200, ...options })).json;
const refusal = async (code, id, what) =>
	(await operator()).refuse(409, code, 'POST', `${JOBS}/${id}/${what}`, { json: REASON });
const claim = (kind) => rows`SELECT * FROM ops.job_claim(ARRAY[${kind}], 100, 'a test', 60)`;

test('every filter filters, and the total is theirs', async () => {
	const kind = kindOfOurs();
	const [waiting, late, dead, given] = [await addJob(kind), await addJob(kind), await deadJob(kind), await addJob(kind)];
	await run`UPDATE ops.job SET run_at = now() - interval '10 minutes', created_at = now() - interval '1 hour' WHERE id = ${late}`;
	await act(given, 'cancel');
	const found = async (query) => {
		const { jobs, pagination } = await list(`kind=${kind}&${query}`);
		assertPagination(pagination);
		assert.equal(pagination.total, jobs.length);
		return jobs.map(({ id }) => id);
	};

	assert.deepEqual(await found(''), [given, dead, late, waiting]);
	assert.deepEqual(await found('state=waiting'), [late, waiting]);
	assert.deepEqual(await found('state=dead'), [dead]);
	assert.deepEqual(await found('state=cancelled'), [given]);
	assert.deepEqual(await found('state=running'), []);
	assert.deepEqual(await found('minAge=3000'), [late]);
	assert.deepEqual(await found('minOverdue=0'), [late]);
	assert.deepEqual(await found('minOverdue=300'), [late]);
	assert.deepEqual(await found('minOverdue=700'), []);
	assert.deepEqual((await list(`kind=${kindOfOurs()}`)).jobs, []);
});

test('pages and cursors walk the same list', async () => {
	const kind = kindOfOurs();
	const expected = [];
	for (let i = 0; i < 5; i++)
		expected.unshift(await deadJob(kind));
	const byPage = [];
	for (let page = 1; page <= 3; page++)
		byPage.push(...(await list(`kind=${kind}&state=dead&limit=2&page=${page}`)).jobs);
	const byCursor = [];
	for (let cursor = ''; cursor !== null;) {
		const { jobs, pagination } = await list(`kind=${kind}&limit=2${cursor && `&cursor=${cursor}`}`);
		byCursor.push(...jobs);
		cursor = pagination.next_cursor;
	}
	assert.deepEqual(byPage.map(({ id }) => id), expected);
	assert.deepEqual(byCursor.map(({ id }) => id), expected);
});

test('filters that are none are 400, all at once', async () => {
	await (await operator()).refuseFields(['state', 'kind', 'minAge', 'minOverdue', 'page'],
	    'GET', `${JOBS}?state=late&kind=${'x'.repeat(61)}&minAge=x&minOverdue=-1&page=0`);
	await (await operator()).refuse(400, 'malformed_request', 'GET', `${JOBS}?state=%zz`);
});

test('a job is shown with its payload, but for what is secret', async () => {
	const kind = kindOfOurs();
	const id = await deadJob(kind, JSON.stringify({
		template: 'reset_password', user: 7, token: 'hide me', link: 'https://shop.example', api_key: 'hide me',
		deep: [{ clientSecret: 'hide me', Authorization: 'hide me', 'x-api-key': 'hide me', monkey: 'show me' }, 'show me', null], n: 1.5,
	}));
	const { job, payload } = await (await operator()).get(`${JOBS}/${id}`);

	assert.deepEqual([job.id, job.kind, job.state, job.attempt, job.last_error], [id, kind, 'dead', 100, 'no way']);
	assert.deepEqual(job.acts, ['retry', 'cancel']);
	assertTimes(job, ['created_at', 'finished_at'], ['runs_at']);
	assert.deepEqual(payload, {
		template: 'reset_password', user: 7, token: '[redacted]', link: 'https://shop.example', api_key: '[redacted]',
		deep: [{ clientSecret: '[redacted]', Authorization: '[redacted]', 'x-api-key': '[redacted]', monkey: 'show me' }, 'show me', null], n: 1.5,
	});
});

test('a dead job runs again, with all its tries before it', async () => {
	const kind = kindOfOurs();
	const id = await deadJob(kind);
	const before = await jobOf(id);
	const job = await act(id, 'retry');
	const boss = await operator();

	assert.deepEqual([job.state, job.attempt, job.is_overdue, job.finished_at], ['waiting', 0, true, null]);
	assert.equal(job.epoch, before.epoch + 1);
	const [taken] = await claim(kind);
	assert.deepEqual([taken.id, taken.attempt, taken.payload], [id, 1, { n: 1 }]);
	assert.deepEqual(await audits(`job:${id}`), [{
		actor_id: boss.id, action: 'job.retry',
		before: { kind, state: 'dead', attempt: 100 },
		after: { job: { kind, state: 'waiting', attempt: 0 }, reason: REASON.reason },
	}]);
});

test('one that waits runs now', async () => {
	const kind = kindOfOurs();
	const id = await addJob(kind);
	assert.deepEqual(await claim(kind), []);
	await act(id, 'retry');
	assert.equal((await claim(kind)).length, 1);
});

test('one that is cancelled is never run, keeps its place, and is forgotten in time', async () => {
	const kind = kindOfOurs();
	const id = await addJob(kind, '{"n": 1}', 'a key');
	const job = await act(id, 'cancel');

	assert.deepEqual([job.state, job.runs_at, job.acts], ['cancelled', null, []]);
	assert.deepEqual(await claim(kind), []);
	assert.equal(await addJob(kind, '{"n": 2}', 'a key'), id);
	assert.equal((await (await operator()).get(`${JOBS}/${id}`)).payload, null);
	for (const what of ['retry', 'cancel'])
		await refusal('job_finished', id, what);
	assert.deepEqual((await audits(`job:${id}`)).map(({ action }) => action), ['job.cancel']);
	await run`UPDATE ops.job SET finished_at = now() - interval '400 days' WHERE id = ${id}`;
	await run`SELECT ops.job_purge(86400 * 365, 1000)`;
	assert.equal(await jobOf(id), undefined);
});

test('one that is at work is left alone, until its lease is over', async () => {
	const kind = kindOfOurs();
	const id = await addJob(kind);
	await act(id, 'retry');
	const [taken] = await claim(kind);
	for (const what of ['retry', 'cancel'])
		await refusal('job_running', id, what);
	await run`UPDATE ops.job SET run_at = now() WHERE id = ${id}`;
	await act(id, 'cancel');
	/* Whoever had it comes back from the dead. */
	for (const late of ['done', 'dead'])
		assert.equal(await value`SELECT ops.job_${{ sql: late }}(${id}, ${taken.epoch}${{ sql: late === 'dead' ? ", 'late'" : '' }})`, false);
	assert.equal((await jobOf(id)).state, 'cancelled');
});

test('one that is done is done', async () => {
	const kind = kindOfOurs();
	const id = await addJob(kind);
	await act(id, 'retry');
	const [taken] = await claim(kind);
	await run`SELECT ops.job_done(${id}, ${taken.epoch})`;
	for (const what of ['retry', 'cancel'])
		await refusal('job_finished', id, what);
});

test('all dead ones of a kind run again at once, and no others', async () => {
	const [kind, other] = [kindOfOurs(), kindOfOurs()];
	const ids = [await deadJob(kind), await deadJob(kind), await deadJob(kind)];
	const [waiting, elsewhere] = [await addJob(kind), await deadJob(other)];
	const boss = await operator();
	const ask = async () => (await boss.call('POST', `${JOBS}/requeue`, { json: { kind, ...REASON }, expect: 200 })).json;

	assert.deepEqual(await ask(), { requeued: 3, more: false });
	assert.deepEqual((await claim(kind)).map(({ id }) => id), ids);
	assert.equal((await jobOf(waiting)).state, 'waiting');
	assert.equal((await jobOf(elsewhere)).state, 'dead');
	assert.deepEqual(await ask(), { requeued: 0, more: false });
	const acts = await rows`SELECT after FROM ops.audit WHERE action = 'jobs.requeue' AND after ->> 'kind' = ${kind} ORDER BY id`;
	assert.deepEqual(acts.map(({ after }) => after), [3, 0].map((requeued) => ({ kind, requeued, ...REASON })));
});

test('more than a thousand are requeued a thousand at a time', async () => {
	const kind = kindOfOurs();
	await run`INSERT INTO ops.job (kind, state, finished_at, payload)
	          SELECT ${kind}, 'dead', now(), '{}' FROM generate_series(1, 1500)`;
	const boss = await operator();
	const ask = async () => (await boss.call('POST', `${JOBS}/requeue`, { json: { kind, ...REASON }, expect: 200 })).json;
	assert.deepEqual([await ask(), await ask()], [{ requeued: 1000, more: true }, { requeued: 500, more: false }]);
	await run`DELETE FROM ops.job WHERE kind = ${kind}`;
});

test('two operators at once: one has it', async () => {
	for (let i = 0; i < 5; i++) {
		const id = await deadJob();
		const answers = await Promise.all(['cancel', 'cancel', 'cancel'].map(async (what) =>
			(await operator()).call('POST', `${JOBS}/${id}/${what}`, { json: REASON })));
		assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409]);
		assert.equal((await audits(`job:${id}`)).length, 1);
	}
});

test('a kind of job that no program here runs is left for one that does', async () => {
	const kind = kindOfOurs();
	const id = await addJob(kind);
	await act(id, 'retry');
	const { json } = await call('POST', '/internal/cron/jobs-run', { token: need('SERVICE_TOKEN'), expect: 200, timeout: 60000 });
	assert.ok(!json.jobs.some((job) => job.id === id));
	const left = await jobOf(id);
	assert.deepEqual([left.state, left.attempt, left.owner], ['waiting', 0, null]);
	await killJob(id);
});

test('what is not there is 404', async () => {
	const boss = await operator();
	for (const id of ['999999999999', '0', '-1', 'x', '1.5', '99999999999999999999']) {
		await boss.refuse(404, 'not_found', 'GET', `${JOBS}/${id}`);
		for (const what of ['retry', 'cancel'])
			await boss.refuse(404, 'not_found', 'POST', `${JOBS}/${id}/${what}`, { json: REASON });
	}
});

test('a reason and a kind are needed', async () => {
	const id = await deadJob();
	const boss = await operator();
	for (const json of [{}, { reason: '' }, { reason: ['x'] }, { reason: 'x'.repeat(501) }])
		for (const what of ['retry', 'cancel'])
			await boss.refuseFields(['reason'], 'POST', `${JOBS}/${id}/${what}`, { json });
	await boss.refuseFields(['reason', 'kind', 'state'], 'POST', `${JOBS}/requeue`, { json: { kind: 'x'.repeat(61), state: 'dead' } });
	assert.equal((await jobOf(id)).state, 'dead');
});

test('nobody but admins sees or does any of it', async () => {
	const id = await deadJob();
	for (const who of [await customer(), await seller()]) {
		await who.refuse(403, 'forbidden', 'GET', JOBS);
		await who.refuse(403, 'forbidden', 'GET', `${JOBS}/${id}`);
		for (const what of ['retry', 'cancel'])
			await who.refuse(403, 'forbidden', 'POST', `${JOBS}/${id}/${what}`, { json: REASON });
		await who.refuse(403, 'forbidden', 'POST', `${JOBS}/requeue`, { json: { kind: 'x', ...REASON } });
	}
	assert.equal((await jobOf(id)).state, 'dead');
});

let anyJob;
test.before(async () => { anyJob = await deadJob(); });
refusesBadTokens('GET', JOBS, operator);
refusesBadTokens('GET', () => `${JOBS}/${anyJob}`, operator);
for (const path of [() => `${JOBS}/${anyJob}/retry`, () => `${JOBS}/${anyJob}/cancel`, () => `${JOBS}/requeue`]) {
	refusesBadTokens('POST', path, operator, { json: REASON });
	refusesBadBodies('POST', path, async () => (await operator()).token);
}
