import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, newAddress, refuse } from '../../lib/client.mjs';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { assertMembers, customer, login, newAdmin, PASSWORD, seller } from '../../lib/shop.mjs';
import { one, value } from '../../lib/sql.mjs';

const PATH = '/api/users/change-password';
const NEW = 'saffron and mint';
const change = (currentPassword, newPassword) => ({ json: { currentPassword, newPassword } });
let somebody;
const person = async () => somebody ??= await customer();

test('the new password is good, the old one is not', async () => {
	for (const who of [await customer(), await seller()]) {
		const { json } = await who.call('POST', PATH, { ...change(PASSWORD, NEW), expect: 200 });

		assertMembers(json, ['message']);
		await login(who.email, NEW);
		await refuse(401, 'invalid_credentials', 'POST', '/api/auth/login', { json: { email: who.email, password: PASSWORD } });
	}
});

test('an admin changes theirs, and back', async () => {
	const who = await newAdmin();
	await who.call('POST', PATH, { ...change(PASSWORD, NEW), expect: 200 });
	await who.call('POST', PATH, { ...change(NEW, PASSWORD), expect: 200 });
	await login(who.email, PASSWORD);
});

test('this session stays, the others end', async () => {
	const who = await customer();
	const other = await login(who.email, PASSWORD);

	await who.call('POST', PATH, { ...change(PASSWORD, NEW), expect: 200 });
	await who.get('/api/users/profile');
	await call('POST', '/api/auth/refresh', { json: { refreshToken: who.refreshToken }, expect: 200 });
	await refuse(401, 'unauthenticated', 'GET', '/api/users/profile', { token: other.accessToken });
	await refuse(401, 'invalid_refresh_token', 'POST', '/api/auth/refresh', { json: { refreshToken: other.refreshToken } });
});

test('without the current password nothing changes', async () => {
	const who = await customer();
	for (const wrong of ['Wrong-password', `${PASSWORD} `, PASSWORD.toLowerCase()])
		await who.refuse(401, 'invalid_credentials', 'POST', PATH, { ...change(wrong, NEW), address: newAddress() });
	await login(who.email, PASSWORD);
});

test('the current password is not asked for anybody else\'s account', async () => {
	const [a, b] = [await customer(), await customer()];
	await a.call('POST', PATH, { ...change(PASSWORD, NEW), expect: 200 });
	await login(b.email, PASSWORD);
});

test('a new password must be one that may be registered', async () => {
	const who = await customer();
	for (const [password, code] of [['short', 'too_short'], ['x'.repeat(73), 'too_long'],
	    ['password123', 'too_common'], ['PASSWORD123', 'too_common'], ['ä'.repeat(37), 'too_long']]) {
		const { json } = await who.refuseFields(['newPassword'], 'POST', PATH, change(PASSWORD, password));
		assert.equal(json.errors[0].code, code, password);
	}
	await login(who.email, PASSWORD);
});

test('of two changes at once one is made', async () => {
	const who = await customer();
	const other = await login(who.email, PASSWORD);
	const passwords = ['first of the two', 'second of the two'];
	const answers = await Promise.all([who.token, other.accessToken].map((token, i) =>
		call('POST', PATH, { token, ...change(PASSWORD, passwords[i]) })));
	const made = answers.findIndex(({ status }) => status === 200);

	assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401]);
	await login(who.email, passwords[made]);
});

test('it is on record, without the password', async () => {
	const who = await customer();
	await who.call('POST', PATH, { ...change(PASSWORD, NEW), expect: 200 });
	const entry = await one`SELECT * FROM ops.audit WHERE actor_id = ${who.id} AND action = 'user.password_changed'`;
	assert.equal(entry.target, `user:${who.id}`);
	assert.ok(!JSON.stringify(entry).includes(NEW));
	assert.equal(await value`SELECT count(*) FROM users.account WHERE id = ${who.id} AND password_hash LIKE '$2b$%'`, 1);
});

test('missing and mistyped fields are 400, all at once', async () => {
	const who = await customer();
	await who.refuseFields(['currentPassword', 'newPassword'], 'POST', PATH, { json: {} });
	await who.refuseFields(['currentPassword', 'newPassword', 'userId'], 'POST', PATH,
	    { json: { currentPassword: 1, newPassword: ['x'], userId: 1 } });
});

refusesBadTokens('POST', PATH, person, change(PASSWORD, NEW));
refusesBadBodies('POST', PATH, async () => (await person()).token);
