import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, refuse, refuseFields } from '../../lib/client.mjs';
import { refusesBadBodies } from '../../lib/bad.mjs';
import { assertMembers, customer, login, PASSWORD } from '../../lib/shop.mjs';

const PATH = '/api/auth/logout';
const logout = (refreshToken, options) => call('POST', PATH, { json: { refreshToken }, expect: 200, ...options });

test('a session ends, its access token with it, at once', async () => {
	const person = await customer();
	await person.get('/api/users/profile');

	const { json } = await logout(person.refreshToken);
	assertMembers(json, ['message']);
	await person.refuse(401, 'unauthenticated', 'GET', '/api/users/profile');
	await person.refuse(401, 'unauthenticated', 'GET', '/api/orders');
	await refuse(401, 'invalid_refresh_token', 'POST', '/api/auth/refresh', { json: { refreshToken: person.refreshToken } });
});

test('tokens refreshed in the session end too', async () => {
	const person = await customer();
	const { json: next } = await call('POST', '/api/auth/refresh',
	    { json: { refreshToken: person.refreshToken }, expect: 200 });

	await logout(next.refreshToken);
	for (const token of [person.token, next.accessToken])
		await refuse(401, 'unauthenticated', 'GET', '/api/users/profile', { token });
});

test('other sessions of the user live on', async () => {
	const person = await customer();
	const other = await login(person.email, PASSWORD);

	await logout(person.refreshToken);
	await call('GET', '/api/users/profile', { token: other.accessToken, expect: 200 });
});

test('signing out again, or with any token, is 200', async () => {
	const person = await customer();
	const first = await logout(person.refreshToken);
	const again = await logout(person.refreshToken);
	const unknown = await logout('never-was-a-token');

	assert.equal(again.text, first.text);
	assert.equal(unknown.text, first.text);
});

test('a spent token signs its session out as well', async () => {
	const person = await customer();
	const { json: next } = await call('POST', '/api/auth/refresh',
	    { json: { refreshToken: person.refreshToken }, expect: 200 });

	await logout(person.refreshToken);
	await refuse(401, 'unauthenticated', 'GET', '/api/users/profile', { token: next.accessToken });
});

test('a missing or mistyped token is 400', async () => {
	for (const json of [{}, { refreshToken: null }, { refreshToken: 7 }, { refreshToken: ['x'] }])
		await refuseFields(['refreshToken'], 'POST', PATH, { json });
});

refusesBadBodies('POST', PATH);
