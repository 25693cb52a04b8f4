import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { call } from '../../lib/client.mjs';
import { refusesBadTokens } from '../../lib/bad.mjs';
import { sessionOf } from '../../lib/revoking.mjs';
import { admin, assertMembers, assertTimes, customer, login, PASSWORD, seller } from '../../lib/shop.mjs';
import { one, run, value } from '../../lib/sql.mjs';

const PATH = '/api/users/sessions';
let somebody;
const person = async () => somebody ??= await customer();

async function loginAs(email, agent, address) {
	return (await call('POST', '/api/auth/login', { json: { email, password: PASSWORD }, address,
		headers: { 'User-Agent': agent }, expect: 200 })).json;
}

test('everyone sees where they are signed in', async () => {
	for (const who of [await customer(), await seller(), await admin()]) {
		const { sessions } = await who.get(PATH);
		for (const session of sessions) {
			assertMembers(session, ['id', 'created_at', 'last_used_at', 'address', 'user_agent', 'current']);
			assertTimes(session, ['created_at', 'last_used_at']);
		}
		assert.deepEqual(sessions.filter(({ current }) => current).map(({ id }) => id), [sessionOf(who.token)]);
		assert.equal(sessions[0].current, true);
	}
});

test('a session knows its address and program', async () => {
	const who = await customer();
	const other = await loginAs(who.email, 'Lynx/2.9', '127.9.8.7');
	const { sessions } = await who.get(PATH);
	const found = sessions.find(({ id }) => id === sessionOf(other.accessToken));

	assert.equal(sessions.length, 2);
	assert.equal(found.address, '127.9.8.7');
	assert.equal(found.user_agent, 'Lynx/2.9');
	assert.equal(found.current, false);
});

test('a program\'s name is cut and made plain', async () => {
	const who = await customer();
	const long = await loginAs(who.email, 'x'.repeat(2000));
	const odd = await loginAs(who.email, 'caf\xe9 \x80\xff');
	const { sessions } = await who.get(PATH);
	const agent = (session) => sessions.find(({ id }) => id === sessionOf(session.accessToken)).user_agent;

	assert.equal(agent(long), 'x'.repeat(255));
	assert.match(agent(odd), /^caf\?+ \?+$/);
});

test('ended and expired sessions are not there, nor others\'', async () => {
	const [who, stranger] = [await customer(), await customer()];
	const [ended, expired] = [await login(who.email, PASSWORD), await login(who.email, PASSWORD)];

	await call('POST', '/api/auth/logout', { json: { refreshToken: ended.refreshToken }, expect: 200 });
	await run`UPDATE users.session SET expires_at = now() - interval '1 second' WHERE id = ${sessionOf(expired.accessToken)}`;
	const { sessions } = await who.get(PATH);
	assert.deepEqual(sessions.map(({ id }) => id), [sessionOf(who.token)]);
	assert.ok(!sessions.some(({ id }) => id === sessionOf(stranger.token)));
});

test('the last use is noted, once in five minutes', async () => {
	const who = await customer();
	const id = sessionOf(who.token);

	await who.get('/api/users/profile');
	assert.equal(await value`SELECT used_at FROM users.session WHERE id = ${id}`, null);
	await run`UPDATE users.session SET created_at = now() - interval '6 minutes' WHERE id = ${id}`;
	await call('POST', '/api/auth/logout', { json: { refreshToken: 'x' }, expect: 200 });
	const { redis } = await import('../../lib/stack.mjs');
	await redis(`DEL session:${id}`);
	await who.get('/api/users/profile');
	const { age } = await one`SELECT extract(epoch FROM now() - used_at) AS age FROM users.session WHERE id = ${id}`;
	assert.ok(age < 60, `${age} s`);
});

test('one can be ended, and is gone', async () => {
	const who = await customer();
	const other = sessionOf((await login(who.email, PASSWORD)).accessToken);
	const { json } = await who.call('DELETE', `${PATH}/${other}`, { expect: 200 });

	assertMembers(json, ['message']);
	assert.equal((await who.get(PATH)).sessions.length, 1);
	await who.refuse(404, 'not_found', 'DELETE', `${PATH}/${other}`);
});

test('ending one\'s own is signing out', async () => {
	const who = await customer();
	await who.call('DELETE', `${PATH}/${sessionOf(who.token)}`, { expect: 200 });
	await who.refuse(401, 'unauthenticated', 'GET', PATH);
});

test('another\'s session is none', async () => {
	const [who, stranger, boss] = [await customer(), await customer(), await admin()];
	for (const one of [stranger, boss])
		await one.refuse(404, 'not_found', 'DELETE', `${PATH}/${sessionOf(who.token)}`);
	await who.get(PATH);
});

test('what is no id is 404', async () => {
	const who = await customer();
	for (const id of [randomUUID(), 'x', '1', '-', 'x'.repeat(36), 'x'.repeat(500), '%00', "'--", `${sessionOf(who.token)}0`,
	    sessionOf(who.token).slice(1), encodeURIComponent('é'.repeat(36)), '%FF'.repeat(36)])
		assert.ok([400, 404].includes((await who.call('DELETE', `${PATH}/${id}`)).status), id);
	await who.get(PATH);
});

refusesBadTokens('GET', PATH, person);
refusesBadTokens('DELETE', `${PATH}/${randomUUID()}`, person);
