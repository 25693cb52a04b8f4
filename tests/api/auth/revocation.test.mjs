/*
 * A session that has ended, in whichever way, is refused by the very next
 * request of every function, though each remembered it a moment ago.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, refuse } from '../../lib/client.mjs';
import { assertEnded, assertLive, sessionOf, warm } from '../../lib/revoking.mjs';
import { admin, customer, freshEmail, login, PASSWORD } from '../../lib/shop.mjs';
import { run } from '../../lib/sql.mjs';

/* Somebody with two sessions, both known everywhere. */
async function twice() {
	const person = await customer();
	const other = await login(person.email, PASSWORD);
	await warm(person.token, other.accessToken);
	return { person, other: other.accessToken, otherRefresh: other.refreshToken };
}

test('sign-out ends its session', async () => {
	const { person, other } = await twice();
	await call('POST', '/api/auth/logout', { json: { refreshToken: person.refreshToken }, expect: 200 });
	await assertEnded(person.token);
	await assertLive(other);
});

test('sign-out everywhere ends all', async () => {
	const { person, other } = await twice();
	await person.call('POST', '/api/auth/logout-all', { expect: 200 });
	await assertEnded(person.token, other);
});

test('a change of the password ends the others', async () => {
	const { person, other } = await twice();
	await person.call('POST', '/api/users/change-password',
	    { json: { currentPassword: PASSWORD, newPassword: `new-${freshEmail()}` }, expect: 200 });
	await assertEnded(other);
	await assertLive(person.token);
});

test('the end of one session ends that one', async () => {
	const { person, other } = await twice();
	await person.call('DELETE', `/api/users/sessions/${sessionOf(other)}`, { expect: 200 });
	await assertEnded(other);
	await assertLive(person.token);
});

test('a change of role ends all', async () => {
	const { person, other } = await twice();
	await (await admin()).call('PUT', `/api/users/${person.id}`, { json: { role: 'seller' }, expect: 200 });
	await assertEnded(person.token, other);
});

test('a deactivation ends all', async () => {
	const { person, other } = await twice();
	await (await admin()).call('PUT', `/api/users/${person.id}`, { json: { is_active: false }, expect: 200 });
	await assertEnded(person.token, other);
});

test('an erased account has no session', async () => {
	const { person, other, otherRefresh } = await twice();
	await person.call('DELETE', '/api/users/profile', { json: { password: PASSWORD }, expect: 200 });
	await assertEnded(person.token, other);
	await refuse(401, 'invalid_refresh_token', 'POST', '/api/auth/refresh', { json: { refreshToken: otherRefresh } });
});

test('a reused refresh token ends its family', async () => {
	const { person, other } = await twice();
	await call('POST', '/api/auth/refresh', { json: { refreshToken: person.refreshToken }, expect: 200 });
	await run`UPDATE users.refresh_token SET spent_at = spent_at - interval '11 seconds'
	           WHERE session_id = ${sessionOf(person.token)} AND spent_at IS NOT NULL`;
	await refuse(401, 'invalid_refresh_token', 'POST', '/api/auth/refresh', { json: { refreshToken: person.refreshToken } });
	await assertEnded(person.token);
	await assertLive(other);
});

test('many sessions end as one does', async () => {
	const person = await customer();
	const tokens = [];
	for (let i = 0; i < 24; i++)
		tokens.push((await login(person.email, PASSWORD)).accessToken);
	await warm(tokens[0], tokens[11], tokens[23]);
	await person.call('POST', '/api/auth/logout-all', { expect: 200 });
	await assertEnded(tokens[0], tokens[11], tokens[23]);
});

test('a token is good for who its account says it is', async () => {
	const person = await customer();
	/* Not by the shop: nobody is told, so the database is asked. */
	await run`UPDATE users.account SET role = 'seller' WHERE id = ${person.id}`;
	await assertEnded(person.token);
	const { accessToken } = await login(person.email, PASSWORD);
	assert.equal((await call('GET', '/api/users/profile', { token: accessToken, expect: 200 })).json.role, 'seller');
});
