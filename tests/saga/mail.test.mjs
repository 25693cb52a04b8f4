/*
 * kill -9 at every boundary of a job: the mail goes out, at least once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '../lib/client.mjs';
import { mailsAreOut, mailsTo, mailTo, SUBJECTS } from '../lib/mail.mjs';
import { customer, login } from '../lib/shop.mjs';
import { one, run } from '../lib/sql.mjs';
import { crashAt, startPostgres, stopPostgres } from '../lib/stack.mjs';

/* The lease of whoever has died runs out. */
const lapse = () => run`UPDATE ops.job SET run_at = now() WHERE state = 'running'`;

const verify = (token) => call('POST', '/api/auth/verify-email', { json: { token }, expect: 200 });

for (const [point, times] of [['job_after_claim', 1], ['mail_before_send', 1], ['mail_after_send', 2], ['job_before_report', 2]])
	test(`the runner dies at ${point}: sent ${times === 1 ? 'once' : 'twice, as one message'}`, async () => {
		await mailsAreOut();
		const died = crashAt(point);
		const person = await customer();
		await died();
		assert.equal((await mailsTo(person.email)).length, times - 1);
		await lapse();
		await mailTo(person.email, SUBJECTS.verify, times);
		await mailsAreOut();

		const mails = await mailsTo(person.email, SUBJECTS.verify);
		assert.equal(mails.length, times);
		assert.equal(new Set(mails.map(({ messageId }) => messageId)).size, 1);
		await verify(mails[0].token);
		const job = await one`SELECT state, attempt, payload FROM ops.job WHERE id = ${Number(/job-(\d+)/.exec(mails[0].messageId)[1])}`;
		assert.deepEqual(job, { state: 'done', attempt: 2, payload: null });
	});

test('of a reset mail sent twice either token works, and only one', async () => {
	for (const which of [0, 1]) {
		const person = await customer();
		await mailsAreOut();
		const died = crashAt('mail_after_send');
		await call('POST', '/api/auth/forgot-password', { json: { email: person.email }, expect: 202 });
		await died();
		await lapse();
		await mailTo(person.email, SUBJECTS.reset, 2);
		const mails = await mailsTo(person.email, SUBJECTS.reset);
		const reset = (token, expect) => call('POST', '/api/auth/reset-password', { json: { token, password: 'nutmeg and mace' }, expect });
		await reset(mails[which].token, 200);
		await reset(mails[1 - which].token, 400);
		await login(person.email, 'nutmeg and mace');
	}
});

test('Postgres goes and comes back: no mail is lost', async () => {
	const person = await customer();
	await stopPostgres();
	await startPostgres();
	await mailTo(person.email, SUBJECTS.verify);
});
