/*
 * Mails as their readers get them: the files of the stack's MAIL_DIR, read by
 * a parser that is not ours.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import { call } from './client.mjs';
import { need } from './env.mjs';
import { value } from './sql.mjs';
import { until } from './wait.mjs';

export const TOKEN = /^[A-Za-z0-9_-]{43}$/m;
export const SUBJECTS = {
	verify: 'Confirm your e-mail address',
	reset: 'Choose a new password',
	changed: 'Your password was changed',
};
const parsed = new Map();

export const runJobs = () => call('POST', '/internal/cron/jobs-run',
    { token: need('SERVICE_TOKEN'), expect: 200, timeout: 60000 });

/* Who reads the message sees these; raw is what was sent. */
export async function read(raw) {
	const mail = await simpleParser(raw);
	const code = TOKEN.exec(mail.text);
	return { ...mail, raw: raw.toString('utf8'), to: mail.to.text, token: code?.[0] };
}

/* The directory is read anew each time, a file in it once. */
async function all() {
	const directory = join(need('SOUK_RUN'), 'mail');

	for (const name of readdirSync(directory).filter((entry) => entry.endsWith('.eml')))
		if (!parsed.has(name))
			parsed.set(name, await read(readFileSync(join(directory, name))));
	return [...parsed].sort(([a], [b]) => a < b ? -1 : 1).map(([name, mail]) => ({ name, ...mail }));
}

export async function mailsTo(email, subject) {
	return (await all()).filter((mail) => mail.to === email && (!subject || mail.subject === subject));
}

/* The last of `count` such mails, once there are as many. */
export function mailTo(email, subject, count = 1) {
	return until(`${email} has ${count} of "${subject}"`, async () => {
		const mails = await mailsTo(email, subject);
		if (mails.length < count)
			await runJobs();
		return mails.length >= count && mails.at(-1);
	}, { every: 100 });
}

/* Until all mail jobs that are due have run, those just queued included. */
export function mailsAreOut() {
	return until('no mail is waiting', async () => {
		await runJobs();
		return await value`SELECT count(*) FROM ops.job WHERE kind = 'mail' AND run_at <= now() + interval '1 minute'` === 0;
	});
}

export const sha256 = (token) => createHash('sha256').update(token).digest('hex');

/* As if the token had been mailed that long ago. */
export async function age(token, interval) {
	const { run } = await import('./sql.mjs');
	await run`UPDATE users.email_token SET created_at = created_at - ${interval}::interval,
	                 expires_at = expires_at - ${interval}::interval
	           WHERE hash = decode(${sha256(token)}, 'hex')`;
}

/* What every mail of the shop is. */
export function assertSound(mail, email) {
	assert.equal(mail.to, email);
	assert.equal(mail.from.text, '"Souk" <no-reply@souk.example>');
	assert.equal(mail.headers.get('auto-submitted'), 'auto-generated');
	assert.equal(mail.headers.get('mime-version'), '1.0');
	assert.equal(mail.headers.get('content-type').value, 'multipart/alternative');
	assert.match(mail.messageId, /^<job-\d+\.\d+@souk\.example>$/);
	assert.ok(Math.abs(Date.now() - mail.date) < 3600 * 1000, `Date: ${mail.date}`);
	assert.doesNotMatch(mail.subject + mail.text + mail.html, /\{\{|\}\}|\{token\}|undefined|null/);
	assert.match(mail.html, /^<!DOCTYPE html>/);
	for (const line of mail.raw.split(/\r?\n/))
		assert.ok(line.length <= 998, line);
}
