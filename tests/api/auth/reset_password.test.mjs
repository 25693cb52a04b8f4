import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, newAddress, refuse, refuseFields } from '../../lib/client.mjs';
import { refusesBadBodies } from '../../lib/bad.mjs';
import { age, assertSound, mailTo, SUBJECTS } from '../../lib/mail.mjs';
import { admin, assertMembers, customer, login, PASSWORD, seller } from '../../lib/shop.mjs';
import { one, run, value } from '../../lib/sql.mjs';

const PATH = '/api/auth/reset-password';
const NEW = 'cardamom and cloves';
const reset = (token, password = NEW, options) =>
	call('POST', PATH, { json: { token, password }, expect: 200, ...options });
const invalid = (token, password = NEW) =>
	refuse(400, 'invalid_token', 'POST', PATH, { json: { token, password } });
const refused = (email, password) =>
	refuse(401, 'invalid_credentials', 'POST', '/api/auth/login', { json: { email, password } });

async function forgot(person, count = 1) {
	await call('POST', '/api/auth/forgot-password', { json: { email: person.email }, expect: 202 });
	return (await mailTo(person.email, SUBJECTS.reset, count)).token;
}

test('the new password signs in, the old one does not', async () => {
	for (const person of [await customer(), await seller()]) {
		const { json } = await reset(await forgot(person));
		assertMembers(json, ['message']);
		await refused(person.email, PASSWORD);
		assert.equal((await login(person.email, NEW)).user.id, person.id);
	}
});

test('every session ends, seen by the very next request of each', async () => {
	const person = await customer();
	const others = [await login(person.email, PASSWORD), await login(person.email, PASSWORD)];
	const tokens = [person.token, ...others.map(({ accessToken }) => accessToken)];
	const refreshTokens = [person.refreshToken, ...others.map(({ refreshToken }) => refreshToken)];
	const token = await forgot(person);

	for (const each of tokens)
		await call('GET', '/api/users/profile', { token: each, expect: 200 });
	await reset(token);
	for (const each of tokens)
		for (const path of ['/api/users/profile', '/api/orders'])
			await refuse(401, 'unauthenticated', 'GET', path, { token: each });
	for (const refreshToken of refreshTokens)
		await refuse(401, 'invalid_refresh_token', 'POST', '/api/auth/refresh', { json: { refreshToken } });
	const { accessToken } = await login(person.email, NEW);
	await call('GET', '/api/users/profile', { token: accessToken, expect: 200 });
});

test("others' sessions live on", async () => {
	const [person, other] = [await customer(), await customer()];
	await reset(await forgot(person));
	await other.get('/api/users/profile');
});

test('the owner is told by mail', async () => {
	const person = await customer();
	await reset(await forgot(person));
	const mail = await mailTo(person.email, SUBJECTS.changed);

	assertSound(mail, person.email);
	assert.match(mail.text, /\d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d UTC/);
	assert.equal(mail.token, undefined);
	assert.ok(!mail.raw.includes(NEW));
});

test('a token is good once', async () => {
	const person = await customer();
	const token = await forgot(person);

	await reset(token);
	await invalid(token, 'another one, later');
	await login(person.email, NEW);
});

test('of 20 at once with one token one sets the password', async () => {
	const person = await customer();
	const token = await forgot(person);
	const answers = await Promise.all(Array.from({ length: 20 }, (_, i) =>
		call('POST', PATH, { json: { token, password: `${NEW} ${i}` }, address: newAddress() })));

	assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(19).fill(400)]);
	const winner = answers.findIndex(({ status }) => status === 200);
	await login(person.email, `${NEW} ${winner}`);
	await mailTo(person.email, SUBJECTS.changed);
	assert.equal(await value`SELECT count(*) FROM users.email_token
	                          WHERE user_id = ${person.id} AND used_at IS NOT NULL`, 1);
});

test('a new token takes the place of an older one', async () => {
	const person = await customer();
	const first = await forgot(person);
	const second = await forgot(person, 2);

	await invalid(first);
	await reset(second);
});

test('after an hour a token is worth nothing', async () => {
	const person = await customer();
	const token = await forgot(person);

	await age(token, '1 hour 1 second');
	await invalid(token);
	await login(person.email, PASSWORD);
});

test('a token of an account that was deactivated is worth nothing', async () => {
	const person = await customer();
	const token = await forgot(person);

	await run`UPDATE users.account SET is_active = false WHERE id = ${person.id}`;
	const before = await one`SELECT password_hash FROM users.account WHERE id = ${person.id}`;
	await invalid(token);
	assert.deepEqual(await one`SELECT password_hash FROM users.account WHERE id = ${person.id}`, before);
});

test('a token of another purpose is worth nothing', async () => {
	const person = await customer();
	const { token } = await mailTo(person.email, SUBJECTS.verify);

	await invalid(token);
	await login(person.email, PASSWORD);
});

test('unknown, expired and used tokens get one answer', async () => {
	const [person, late] = [await customer(), await customer()];
	const [used, expired] = [await forgot(person), await forgot(late)];
	const texts = new Set();

	await reset(used);
	await age(expired, '2 hours');
	for (const token of [used, expired, 'A'.repeat(43), 'x', "' OR 1=1 --"])
		texts.add(JSON.stringify({ ...(await invalid(token)).json, request_id: null }));
	assert.equal(texts.size, 1);
});

test('a password that is refused spends nothing', async () => {
	const person = await customer();
	const token = await forgot(person);

	for (const password of ['password', 'PASSWORD', 'seven77', 'x'.repeat(73), 'ż'.repeat(37), '', 12345678, null])
		await refuseFields(['password'], 'POST', PATH, { json: { token, password } });
	await person.get('/api/users/profile');
	await reset(token, 'ż'.repeat(36));
	await login(person.email, 'ż'.repeat(36));
});

test('admins reset theirs alike', async () => {
	const person = await customer();
	await run`UPDATE users.account SET role = 'admin' WHERE id = ${person.id}`;
	await reset(await forgot(person));
	assert.equal((await login(person.email, NEW)).user.role, 'admin');
	await admin();
});

test('every bad field is named at once', async () => {
	await refuseFields(['token', 'password', 'email'], 'POST', PATH, { json: { token: 5, password: 'short', email: 'a@b.com' } });
	await refuseFields(['token', 'password'], 'POST', PATH, { json: {} });
});

refusesBadBodies('POST', PATH);
