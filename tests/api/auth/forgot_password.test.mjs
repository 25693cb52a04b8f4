import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { call, newAddress, refuse, refuseFields } from '../../lib/client.mjs';
import { refusesBadBodies } from '../../lib/bad.mjs';
import { need } from '../../lib/env.mjs';
import { assertSound, mailsAreOut, mailsTo, mailTo, sha256, SUBJECTS } from '../../lib/mail.mjs';
import { assertMembers, customer, freshEmail, newKey, unanswered } from '../../lib/shop.mjs';
import { run, value } from '../../lib/sql.mjs';
import { until } from '../../lib/wait.mjs';

const PATH = '/api/auth/forgot-password';
const forgot = (email, options) => call('POST', PATH, { json: { email }, expect: 202, ...options });

test('who has forgotten their password is mailed a token', async () => {
	const person = await customer();
	const { json } = await forgot(person.email);
	assertMembers(json, ['message']);
	const mail = await mailTo(person.email, SUBJECTS.reset);

	assertSound(mail, person.email);
	assert.match(mail.text, /within 1 hour/);
	assert.match(mail.raw, new RegExp(`^${mail.token}\\r?$`, 'm'));
	assert.ok(mail.html.includes(`reset-password:${mail.token}"`), mail.html);
	assert.equal(await value`SELECT encode(hash, 'hex') FROM users.email_token
	                          WHERE user_id = ${person.id} AND purpose = 'reset_password'`, sha256(mail.token));
});

test('the address is taken in any case, and goes out as it was registered', async () => {
	const person = await customer();
	await forgot(`  ${person.email.toUpperCase()} `);
	await mailTo(person.email, SUBJECTS.reset);
});

/* What the function's log says it did for a request. */
const workOf = ({ headers }) => until('the request is in the log', () => {
	const log = readFileSync(join(need('SOUK_RUN'), 'log', 'functions.log'), 'utf8');
	const line = log.split('\n').find((entry) => entry.includes(`"request_id":"${headers['x-request-id']}"`));
	return line && JSON.parse(line);
});

test('for an address that nobody has, answer and work are the same', async () => {
	const person = await customer();
	const nobody = freshEmail('nobody');
	await forgot(freshEmail('warm'));	/* the connection is made, the statement prepared */
	const [known, unknown] = [await forgot(person.email), await forgot(nobody)];

	assert.equal(known.text, unknown.text);
	assert.deepEqual(Object.keys(known.headers).sort(), Object.keys(unknown.headers).sort());
	assert.equal((await workOf(known)).statements, (await workOf(unknown)).statements);
	await mailTo(person.email, SUBJECTS.reset);
	await mailsAreOut();
	assert.equal((await mailsTo(nobody)).length, 0);
});

test('of a deactivated account nothing is heard', async () => {
	const person = await customer();
	await run`UPDATE users.account SET is_active = false WHERE id = ${person.id}`;
	await forgot(person.email);
	await mailsAreOut();
	assert.equal((await mailsTo(person.email, SUBJECTS.reset)).length, 0);
	assert.equal(await value`SELECT count(*) FROM users.email_token
	                          WHERE user_id = ${person.id} AND purpose = 'reset_password'`, 0);
});

test('a mailbox cannot be flooded: three an hour, and the last one stays good', async () => {
	const person = await customer();
	await Promise.all(Array.from({ length: 12 }, () => forgot(person.email, { address: newAddress() })));
	await mailsAreOut();
	const mails = await mailsTo(person.email, SUBJECTS.reset);
	assert.equal(mails.length, 3);

	const good = await Promise.all(mails.map(({ token }) => value`SELECT expires_at > now() FROM users.email_token
	    WHERE hash = decode(${sha256(token)}, 'hex')`));
	assert.equal(good.filter(Boolean).length, 1);
});

test('nothing of the address stays once the mail is out', async () => {
	const email = freshEmail('trace');
	await forgot(email);
	await mailsAreOut();
	assert.equal(await value`SELECT count(*) FROM ops.job j WHERE j::text LIKE ${`%${email}%`}`, 0);
});

test('the same Idempotency-Key asks once', async () => {
	const person = await customer();
	const key = newKey();
	const first = await forgot(person.email, { key });
	const again = await forgot(person.email, { key });

	assert.equal(again.text, first.text);
	assert.equal(again.headers['idempotent-replayed'], 'true');
	await mailTo(person.email, SUBJECTS.reset);
	await mailsAreOut();
	assert.equal((await mailsTo(person.email, SUBJECTS.reset)).length, 1);
	await refuse(422, 'idempotency_key_reused', 'POST', PATH, { key, json: { email: freshEmail() } });
	await unanswered(key);
	await refuse(409, 'request_in_progress', 'POST', PATH, { key, json: { email: person.email } });
});

test('the auth limit holds here too', async () => {
	const address = newAddress();
	const statuses = [];
	for (let i = 0; i < 31; i++)
		statuses.push((await call('POST', PATH, { json: { email: freshEmail() }, address })).status);
	assert.deepEqual([...new Set(statuses)], [202, 429]);
});

test('e-mails that are none are 400', async () => {
	for (const email of ['', 'a', 'a@', 'a@b.com\r\nBcc: c@d.com', 'a@b.com, c@d.com', '<a@b.com>', 5, null, ['a@b.com']])
		await refuseFields(['email'], 'POST', PATH, { json: { email } });
	await refuseFields(['email'], 'POST', PATH, { json: {} });
});

refusesBadBodies('POST', PATH);
