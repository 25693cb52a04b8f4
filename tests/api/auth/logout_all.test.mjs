import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, refuse } from '../../lib/client.mjs';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { assertMembers, customer, login, newAdmin, seller } from '../../lib/shop.mjs';
import { one } from '../../lib/sql.mjs';

const PATH = '/api/auth/logout-all';

test('whoever is signed in can sign out everywhere', async () => {
	for (const who of [await customer(), await seller(), await newAdmin()]) {
		const other = await login(who.email, who.password);
		const { json } = await who.call('POST', PATH, { expect: 200 });

		assertMembers(json, ['message']);
		await who.refuse(401, 'unauthenticated', 'GET', '/api/users/profile');
		await refuse(401, 'invalid_refresh_token', 'POST', '/api/auth/refresh',
		    { json: { refreshToken: other.refreshToken } });
		await login(who.email, who.password);
	}
});

test('others are not signed out', async () => {
	const [a, b] = [await customer(), await customer()];
	await a.call('POST', PATH, { expect: 200 });
	await b.get('/api/users/profile');
});

test('it is on record', async () => {
	const who = await customer();
	const { headers } = await who.call('POST', PATH, { expect: 200 });
	const entry = await one`SELECT * FROM ops.audit WHERE actor_id = ${who.id} AND action = 'user.logout_all'`;
	assert.equal(entry.target, `user:${who.id}`);
	assert.equal(entry.request_id, headers['x-request-id']);
	assert.equal(entry.address, who.address);
});

test('a body is not asked for, nor anything in one', async () => {
	const who = await customer();
	await call('POST', PATH, { token: who.token, json: {}, expect: 200 });
});

refusesBadTokens('POST', PATH, () => customer());
