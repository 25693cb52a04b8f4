import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, refuse, refuseFields } from '../../lib/client.mjs';
import { refusesBadBodies } from '../../lib/bad.mjs';
import { age, assertSound, mailTo, sha256, SUBJECTS } from '../../lib/mail.mjs';
import { assertMembers, customer, freshEmail, PASSWORD } from '../../lib/shop.mjs';
import { run, value } from '../../lib/sql.mjs';

const PATH = '/api/auth/verify-email';
const verify = (token, options) => call('POST', PATH, { json: { token }, expect: 200, ...options });
const invalid = (token) => refuse(400, 'invalid_token', 'POST', PATH, { json: { token } });
const isVerified = async (person) => (await person.get('/api/users/profile')).email_verified;

test('a newcomer is mailed a token that confirms the address', async () => {
	const person = await customer();
	const mail = await mailTo(person.email, SUBJECTS.verify);

	assertSound(mail, person.email);
	assert.match(mail.text, /within 24 hours/);
	assert.equal(mail.text.split(mail.token).length, 3, 'by itself, and in the link');
	assert.ok(mail.html.includes(`verify-email:${mail.token}"`), mail.html);
	assert.match(mail.raw, new RegExp(`^${mail.token}\\r?$`, 'm'), 'unbroken in the raw message');
	assert.equal(await isVerified(person), false);

	const { json } = await verify(mail.token);
	assertMembers(json, ['message']);
	assert.equal(await isVerified(person), true);
});

test('no name of the reader is in the mail: anybody may have typed it', async () => {
	const email = freshEmail();
	await call('POST', '/api/auth/register', { expect: 201, json: { email, password: PASSWORD,
	    first_name: 'Buy pills at http://pills.example', last_name: 'Bcc: x@pills.example' } });
	const mail = await mailTo(email, SUBJECTS.verify);
	assert.doesNotMatch(mail.raw, /pills/);
});

test('the same token again is no error, and changes nothing', async () => {
	const person = await customer();
	const { token } = await mailTo(person.email, SUBJECTS.verify);

	await verify(token);
	const { updated_at: before } = await person.get('/api/users/profile');
	await verify(token);
	assert.equal((await person.get('/api/users/profile')).updated_at, before);
});

test('50 at once confirm once', async () => {
	const person = await customer();
	const { token } = await mailTo(person.email, SUBJECTS.verify);

	await Promise.all(Array.from({ length: 50 }, () => verify(token)));
	assert.equal(await isVerified(person), true);
});

test('only a hash of the token is stored', async () => {
	const person = await customer();
	const { token } = await mailTo(person.email, SUBJECTS.verify);
	const [hash, shown] = [sha256(token), `%${token}%`];

	assert.equal(await value`SELECT encode(hash, 'hex') FROM users.email_token WHERE user_id = ${person.id}`, hash);
	assert.equal(await value`SELECT count(*) FROM users.email_token t WHERE t::text LIKE ${shown}`, 0);
	assert.equal(await value`SELECT count(*) FROM ops.job j WHERE j::text LIKE ${shown}`, 0);
});

test('what is no token is 400, and one answer for all', async () => {
	const person = await customer();
	const { token } = await mailTo(person.email, SUBJECTS.verify);
	const texts = new Set();

	for (const other of ['x', token.slice(1), `${token}A`, ` ${token}`, 'A'.repeat(43), "' OR 1=1 --", '\\x00', '%', 'ż'.repeat(200)]) {
		const { json } = await invalid(other);
		texts.add(JSON.stringify({ ...json, request_id: null }));
	}
	assert.equal(texts.size, 1);
	assert.equal(await isVerified(person), false);
});

test('after 24 hours a token is worth nothing', async () => {
	const person = await customer();
	const { token } = await mailTo(person.email, SUBJECTS.verify);

	await age(token, '24 hours 1 second');
	await invalid(token);
	assert.equal(await isVerified(person), false);
});

test('a token of another purpose does not confirm', async () => {
	const person = await customer();
	await call('POST', '/api/auth/forgot-password', { json: { email: person.email }, expect: 202 });
	const { token } = await mailTo(person.email, SUBJECTS.reset);

	await invalid(token);
	assert.equal(await isVerified(person), false);
});

test('a token of an account that was deactivated does not confirm', async () => {
	const person = await customer();
	const { token } = await mailTo(person.email, SUBJECTS.verify);

	await run`UPDATE users.account SET is_active = false WHERE id = ${person.id}`;
	await invalid(token);
	assert.equal(await value`SELECT email_verified FROM users.account WHERE id = ${person.id}`, false);
});

test('a missing or mistyped token is 400', async () => {
	for (const json of [{}, { token: null }, { token: 7 }, { token: ['x'] }, { token: '' }, { token: 'x'.repeat(201) }])
		await refuseFields(['token'], 'POST', PATH, { json });
});

refusesBadBodies('POST', PATH);
